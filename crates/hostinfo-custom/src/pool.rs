//! Runs in progress and queued ones. What runs a command is another process, hostinfo-run.

use std::collections::HashSet;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::time::Instant;

use hostinfo_peer::{Epoll, Unclosed};

use crate::failure::Failure;
use crate::limits::{HUNG_RUNS_MAX, RUNS_MAX};
use crate::queue::{Asked, Key, Queue};
use crate::run::{Order, Run};

/// The result of a run.
pub(crate) type Ended = (Key, Result<Vec<u8>, Failure>);

/// At most [`RUNS_MAX`] runs, and a queue.
pub(crate) struct Pool {
    /// Reports when hostinfo-run has answered.
    epoll: Epoll,
    /// Where hostinfo-run listens.
    socket: PathBuf,
    queue: Queue,
    runs: Vec<Run>,
    /// What hostinfo-run has left to be closed. While there is something, it is not asked.
    unclosed: Unclosed,
    /// The statistics whose last run took as long as it could.
    hung: HashSet<Box<str>>,
}

impl Pool {
    /// Nothing is running yet.
    ///
    /// # Errors
    /// If there are no descriptors left.
    pub(crate) fn new(socket: &Path) -> io::Result<Self> {
        Ok(Self {
            epoll: Epoll::new()?,
            socket: socket.to_owned(),
            queue: Queue::default(),
            runs: Vec::new(),
            unclosed: Unclosed::default(),
            hung: HashSet::new(),
        })
    }

    /// Where hostinfo-run listens.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// Queues a run, which must not be queued already, for the guest `asker`.
    pub(crate) fn ask(&mut self, key: Key, asker: &str) -> Asked {
        self.queue.ask(key, asker)
    }

    /// Notes that the guest `asker` asks for a run, too, which is queued or in progress.
    pub(crate) fn join(&mut self, key: &Key, asker: &str) {
        self.queue.join(key, asker);
    }

    /// Collects what has ended, gives up what is past its deadline and starts what is next.
    pub(crate) fn turn(
        &mut self,
        now: Instant,
        order: impl Fn(&Key) -> Option<Order>,
    ) -> Vec<Ended> {
        let mut ended = self.end(now);
        while self.runs.len() < RUNS_MAX
            && let Some((key, asker)) = self.next()
        {
            let Some(order) = order(&key) else { continue };
            match Run::start(&self.socket, &self.epoll, &self.unclosed, key, asker, order, now) {
                Ok(run) => self.runs.push(run),
                Err((key, failure)) => ended.push((key, Err(failure))),
            }
        }
        ended
    }

    /// Has this descriptor make the pool readable as well.
    ///
    /// # Errors
    /// The kernel has no room for it.
    pub(crate) fn wait_for(&self, fd: impl AsFd) -> io::Result<()> {
        Ok(self.epoll.add(fd)?)
    }

    /// Waits with `epoll` from now on. Nothing is running yet.
    pub(crate) fn wait_with(&mut self, epoll: Epoll) {
        self.epoll = epoll;
    }

    /// Drops these runs. Commands in progress are killed, since their connections are closed.
    pub(crate) fn cancel(&mut self, which: impl Fn(&Key) -> bool) {
        self.queue.cancel(&which);
        self.runs.retain(|run| !which(&run.key));
    }

    /// Ends all runs, and returns what they were for.
    pub(crate) fn end_all(&mut self) -> Vec<Key> {
        self.runs.drain(..).map(|run| run.key).collect()
    }

    /// When to call [`Pool::turn`] even though nothing is readable.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.runs.iter().map(|run| run.deadline).min()
    }

    fn end(&mut self, now: Instant) -> Vec<Ended> {
        let mut ended = Vec::new();
        self.runs.retain(|run| {
            let Some(outcome) = run.outcome(now) else { return true };
            if outcome.as_ref().is_err_and(Failure::is_hang) {
                self.hung.insert(run.key.name.clone());
            } else {
                self.hung.remove(&run.key.name);
            }
            ended.push((run.key.clone(), outcome));
            false
        });
        ended
    }

    /// Takes the next one off the queue, and the guest whose turn it is.
    fn next(&mut self) -> Option<(Key, Box<str>)> {
        let is_hung = |key: &Key| self.hung.contains(&key.name);
        let may_hang = self.runs.iter().filter(|run| is_hung(&run.key)).count() < HUNG_RUNS_MAX;
        let may_run =
            |key: &Key| (may_hang || !is_hung(key)) && self.runs.iter().all(|run| run.key != *key);
        let running = |guest: &str| self.runs.iter().filter(|run| *run.asker == *guest).count();
        self.queue.take(may_run, running)
    }
}

impl AsFd for Pool {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

#[cfg(test)]
mod tests;
