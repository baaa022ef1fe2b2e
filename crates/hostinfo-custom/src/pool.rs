//! Running commands and queued ones.

use std::collections::HashSet;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};

use crate::account::Account;
use crate::child::Child;
use crate::failure::Failure;
use crate::limits::{HUNG_RUNS_MAX, LOOK_EVERY, OUTPUT_MAX, RUNS_MAX};
use crate::queue::{Asked, Key, Queue};

/// What to run.
pub(crate) struct Order {
    /// The program and its arguments.
    pub(crate) words: Vec<String>,
    pub(crate) account: Option<Account>,
    pub(crate) timeout: Duration,
}

/// The result of a run.
pub(crate) type Ended = (Key, Result<Vec<u8>, Failure>);

/// At most [`RUNS_MAX`] commands, and a queue.
pub(crate) struct Pool {
    /// Readable when a command has ended.
    epoll: OwnedFd,
    queue: Queue,
    runs: Vec<Run>,
    /// Commands that were killed but that the kernel has not released yet: one that hangs in a file
    /// system may take days. They do not occupy a place, and nothing of the same statistic runs
    /// beside them, so there are never more of them than statistics and places.
    dying: Vec<(Key, Child)>,
    /// The statistics whose last run had to be killed.
    hung: HashSet<Box<str>>,
    looked: Option<Instant>,
    has_pidfds: bool,
}

struct Run {
    key: Key,
    child: Child,
    timeout: Duration,
    deadline: Instant,
}

impl Pool {
    /// Nothing is running yet. Without `has_pidfds`, it polls for commands that end, as on old
    /// kernels.
    ///
    /// # Errors
    /// If there are no descriptors left.
    pub(crate) fn new(has_pidfds: bool) -> io::Result<Self> {
        Ok(Self {
            epoll: epoll::create(CreateFlags::CLOEXEC)?,
            queue: Queue::default(),
            runs: Vec::new(),
            dying: Vec::new(),
            hung: HashSet::new(),
            looked: None,
            has_pidfds,
        })
    }

    /// Queues a run, which must not be queued already.
    pub(crate) fn ask(&mut self, key: Key) -> Asked {
        self.queue.ask(key)
    }

    /// Collects what has ended, kills what is past its deadline and starts what is next.
    pub(crate) fn turn(
        &mut self,
        now: Instant,
        order: impl Fn(&Key) -> Option<Order>,
    ) -> Vec<Ended> {
        self.looked = Some(now);
        self.dying.retain_mut(|(_, child)| matches!(child.reap(), Ok(None)));
        let mut ended = self.end(now);
        while self.runs.len() < RUNS_MAX
            && let Some(key) = self.next()
        {
            let Some(order) = order(&key) else { continue };
            match Child::start(&order.words, order.account) {
                Ok(child) => self.watch(key, child, order.timeout, now),
                Err(error) => {
                    let program = order.words.into_iter().next().unwrap_or_default();
                    ended.push((key, Err(Failure::NotRun(program, error))));
                }
            }
        }
        ended
    }

    /// Drops these runs; those in progress are killed.
    pub(crate) fn cancel(&mut self, which: impl Fn(&Key) -> bool) {
        self.queue.cancel(&which);
        for mut run in self.runs.extract_if(.., |run| which(&run.key)) {
            run.child.kill();
            self.dying.push((run.key, run.child));
        }
    }

    /// When to call [`Pool::turn`] even though nothing is readable.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let mut children =
            self.runs.iter().map(|run| &run.child).chain(self.dying.iter().map(|(_, child)| child));
        let look = children.any(|child| child.pidfd().is_none());
        let look = self.looked.filter(|_| look).map(|looked| looked + LOOK_EVERY);
        self.runs.iter().map(|run| run.deadline).chain(look).min()
    }

    fn end(&mut self, now: Instant) -> Vec<Ended> {
        let mut ended = Vec::new();
        let is_over = |run: &mut Run| run.child.has_ended() || run.deadline <= now;
        for mut run in self.runs.extract_if(.., is_over) {
            let ended_by_itself = run.child.has_ended();
            run.child.kill();
            let (output, errors) = (run.child.output(), run.child.errors());
            let status = if ended_by_itself { run.child.reap() } else { Ok(None) };
            let result = match status {
                _ if output.len() > OUTPUT_MAX => Err(Failure::TooLong),
                Ok(Some(status)) if status.success() => Ok(output),
                Ok(Some(status)) => Err(Failure::Failed { status, errors }),
                Ok(None) => Err(Failure::Late { timeout: run.timeout, errors }),
                Err(error) => Err(Failure::NotRun("its command".to_owned(), error)),
            };
            ended.push((run.key.clone(), result));
            if ended_by_itself {
                self.hung.remove(&run.key.name);
            } else {
                self.hung.insert(run.key.name.clone());
                self.dying.push((run.key, run.child));
            }
        }
        ended
    }

    fn watch(&mut self, key: Key, mut child: Child, timeout: Duration, now: Instant) {
        let is_watched = self.has_pidfds
            && child.pidfd().is_some_and(|pidfd| {
                epoll::add(&self.epoll, pidfd, EventData::new_u64(0), EventFlags::IN).is_ok()
            });
        if !is_watched {
            child.drop_pidfd();
        }
        self.runs.push(Run { key, child, timeout, deadline: now + timeout });
    }

    /// Takes the next one off the queue.
    fn next(&mut self) -> Option<Key> {
        let is_hung = |key: &Key| self.hung.contains(&key.name);
        let may_hang = self.runs.iter().filter(|run| is_hung(&run.key)).count() < HUNG_RUNS_MAX;
        let may_run = |key: &Key| {
            (may_hang || !is_hung(key))
                && self.runs.iter().all(|run| run.key != *key)
                && self.dying.iter().all(|(dying, _)| dying.name != key.name)
        };
        let running = |key: &Key| self.runs.iter().filter(|run| run.key.guest == key.guest).count();
        self.queue.take(may_run, running)
    }
}

impl AsFd for Pool {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.cancel(|_| true);
    }
}

#[cfg(test)]
mod tests;
