//! Runs in progress and queued ones. What runs a command is another process, hostinfo-run.

use std::collections::{HashMap, HashSet};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::time::Instant;

use hostinfo_peer::{Epoll, Unclosed};

use crate::failure::Failure;
use crate::limits::{HUNG_RUNS_MAX, RUNS_MAX};
use crate::queue::{Asked, Key, Place, Queue};
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
    /// The statistics, and the guests for which their last run took as long as it could.
    hung: HashMap<Box<str>, HashSet<Box<str>>>,
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
            hung: HashMap::new(),
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

    /// Forgets what is known of a guest that is gone.
    pub(crate) fn forget(&mut self, guest: &str) {
        self.queue.forget(guest);
        self.hung.retain(|_, guests| {
            guests.remove(guest);
            !guests.is_empty()
        });
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
            let Key { name, guest } = run.key.clone();
            if outcome.as_ref().is_err_and(Failure::is_hang) {
                self.hung.entry(name).or_default().insert(guest);
            } else {
                trust(&mut self.hung, &name, &guest);
            }
            ended.push((run.key.clone(), outcome));
            false
        });
        ended
    }

    /// Takes the next one off the queue, and the guest whose turn it is.
    fn next(&mut self) -> Option<(Key, Box<str>)> {
        let place_of = |key: &Key| match self.hung.get(&key.name) {
            None => Place::Any,
            Some(guests) if guests.contains(&key.guest) => Place::Hung,
            Some(_) => Place::Doubtful,
        };
        let taken: Vec<Place> = self.runs.iter().map(|run| place_of(&run.key)).collect();
        let place = |key: &Key| {
            let place = place_of(key);
            let max = if place == Place::Any { RUNS_MAX } else { HUNG_RUNS_MAX };
            let is_free = taken.iter().filter(|taken| **taken == place).count() < max;
            (is_free && self.runs.iter().all(|run| run.key != *key)).then_some(place)
        };
        let running = |guest: &str| self.runs.iter().filter(|run| *run.asker == *guest).count();
        self.queue.take(place, running)
    }
}

/// Notes that a run for that guest has not hung, or is none of its any more.
fn trust(hung: &mut HashMap<Box<str>, HashSet<Box<str>>>, name: &str, guest: &str) {
    if let Some(guests) = hung.get_mut(name) {
        guests.remove(guest);
        if guests.is_empty() {
            hung.remove(name);
        }
    }
}

impl AsFd for Pool {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

#[cfg(test)]
mod tests;
