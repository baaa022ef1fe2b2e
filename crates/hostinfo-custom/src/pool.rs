//! Runs in progress and queued ones. What runs a command is another process, hostinfo-run.

mod places;

use std::io;
use std::iter;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::time::Instant;

use hostinfo_peer::{Epoll, Unclosed};

use crate::failure::Failure;
use crate::limits::RUNS_MAX;
use crate::queue::{Asked, Key, Queue};
use crate::run::{Order, Run};
use places::Places;

/// The result of a run.
pub(crate) type Ended = (Key, Result<Vec<u8>, Failure>);

/// At most [`RUNS_MAX`] runs, and a queue.
pub(crate) struct Pool {
    /// Reports when hostinfo-run has answered.
    epoll: Epoll,
    /// Where hostinfo-run listens.
    socket: PathBuf,
    queue: Queue,
    places: Places,
    /// What hostinfo-run has left to be closed. While there is something, it is not asked.
    unclosed: Unclosed,
    /// Whether a run may be started: no place was free for any, and since then nothing was asked for that has one, and
    /// nothing has ended. What a guest asks for without end would have the whole queue looked at each time.
    may_start: bool,
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
            places: Places::default(),
            unclosed: Unclosed::default(),
            may_start: false,
        })
    }

    /// Where hostinfo-run listens.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// Queues a run, which must not be queued already, for the guest `asker`.
    pub(crate) fn ask(&mut self, key: Key, asker: &str) -> Asked {
        let is_free = self.places.are_free_for(&key, asker);
        let asked = self.queue.ask(key, asker);
        self.may_start |= is_free && asked != Asked::NoRoom;
        asked
    }

    /// Notes that the guest `asker` asks for a run, too, which is queued or in progress. Returns whether it may start now.
    pub(crate) fn join(&mut self, key: &Key, asker: &str) -> bool {
        let may_start = self.queue.join(key, asker) && self.places.are_free_for(key, asker);
        self.may_start |= may_start;
        may_start
    }

    /// Collects what has ended, gives up what is past its deadline and starts what is next.
    pub(crate) fn turn(
        &mut self,
        now: Instant,
        order: impl Fn(&Key) -> Option<Order>,
    ) -> Vec<Ended> {
        let mut ended = self.end(now);
        self.may_start |= !ended.is_empty();
        while self.may_start && self.places.runs.len() < RUNS_MAX {
            let Some((key, asker)) = self.next() else {
                self.may_start = false;
                break;
            };
            let Some(order) = order(&key) else { continue };
            match Run::start(&self.socket, &self.epoll, &self.unclosed, key, asker, order, now) {
                Ok(run) => self.places.runs.push(run),
                Err((key, why)) => {
                    // Those that are queued would fail alike: to take each in its turn takes a second for a full queue.
                    let failed = iter::once(key).chain(self.queue.clear());
                    ended.extend(failed.map(|key| (key, Err(why.failure(&self.socket)))));
                }
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

    /// Drops all runs of a statistic, which is another one from now on. Commands in progress are killed, since their
    /// connections are closed.
    pub(crate) fn forget_statistic(&mut self, name: &str) {
        self.queue.cancel(|key| *key.name == *name);
        self.places.forget_statistic(name);
        self.may_start = true;
    }

    /// Whether a run is queued for which that guest asked.
    pub(crate) fn queues_for(&self, guest: &str) -> bool {
        self.queue.has_any_of(guest)
    }

    /// Forgets what is known of a guest that is gone, and for which none is queued.
    pub(crate) fn forget(&mut self, guest: &str) {
        self.queue.forget(guest);
        self.places.forget_guest(guest);
        self.may_start = true;
    }

    /// Ends all runs, and returns what they were for.
    pub(crate) fn end_all(&mut self) -> Vec<Key> {
        self.may_start = true;
        self.places.runs.drain(..).map(|run| run.key).collect()
    }

    /// When to call [`Pool::turn`] even though nothing is readable.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.places.runs.iter().map(|run| run.deadline).min()
    }

    fn end(&mut self, now: Instant) -> Vec<Ended> {
        let mut ended = Vec::new();
        self.places.runs.retain(|run| {
            let outcome = run.outcome(now);
            let goes_on = outcome.is_none();
            ended.extend(outcome.map(|outcome| (run.key.clone(), outcome)));
            goes_on
        });
        for (key, outcome) in &ended {
            self.places.note(key, outcome.as_ref().is_err_and(Failure::is_hang));
        }
        ended
    }

    /// Takes the next one off the queue, and the guest whose turn it is.
    fn next(&mut self) -> Option<(Key, Box<str>)> {
        let (places, taken) = (&self.places, self.places.taken());
        self.queue.take(|key| places.free(key, &taken), |guest| places.running(guest))
    }
}

impl AsFd for Pool {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

#[cfg(test)]
mod tests;
