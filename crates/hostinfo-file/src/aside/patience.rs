//! How long is waited for what threads do.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::pool::{ENDED, Owner, POOL, Pool, add, lock};

/// How long to wait for one piece of work: a thousand times what it usually takes, since a host's CPUs may all be busy.
pub(super) const PATIENCE: Duration = Duration::from_millis(100);

/// Waiting for one owner takes at most a 600th of the time in the long run.
pub(super) const SHARE: u32 = 600;

/// An owner whose waits are further ahead of that share than this is not waited for. It amounts to 50 ms of waiting: work
/// usually takes 0.05 ms, and 10 ms on a busy host.
const AHEAD: Duration = Duration::from_secs(30);

/// How much was waited for one owner of work: a guest, a place where guests' sockets are, or a statistic.
#[derive(Debug)]
pub struct Patience {
    owner: Owner,
    /// When [`SHARE`] times as long as was waited will have passed. `None` if nothing was.
    pub(super) repaid_at: Option<Instant>,
}

impl Default for Patience {
    fn default() -> Self {
        Self { owner: Owner::new(), repaid_at: None }
    }
}

impl Patience {
    /// For whom it counts.
    pub fn owner(&self) -> Owner {
        self.owner
    }

    /// Whether what was waited is so long ago that it does not count any more.
    pub fn is_repaid(&self, now: Instant) -> bool {
        self.repaid_at.is_none_or(|repaid_at| repaid_at <= now)
    }

    /// Whether there may be one more wait.
    pub(super) fn may_wait(&self, now: Instant) -> bool {
        self.repaid_at.is_none_or(|repaid_at| repaid_at.saturating_duration_since(now) <= AHEAD)
    }

    pub(super) fn waited(&mut self, time: Duration, now: Instant) {
        let repaid_at = self.repaid_at.unwrap_or(now).max(now);
        self.repaid_at = repaid_at.checked_add(time.min(PATIENCE) * SHARE);
    }

    /// Has work done whose result is of no use later. `None` if it takes too long: its result is dropped. `None` as well,
    /// and the work is not begun, if no thread is free, too much was waited for this owner lately, or the last piece of its
    /// work is not done yet: so it holds one thread at the most.
    pub fn ask<T: Send + 'static>(
        &mut self,
        work: impl FnOnce() -> T + Send + 'static,
        now: Instant,
    ) -> Option<T> {
        let has_room = |pool: &Pool| pool.has_room(self.owner) && !pool.has_any_of(self.owner);
        let may_be_done = self.may_wait(now) && has_room(&lock(&POOL));
        if may_be_done { self.run(work, drop, now) } else { None }
    }

    /// Has work done in any case. `None` if it takes longer than it may be waited for: then `late` gets the result, in the
    /// thread that did the work.
    pub fn run<T: Send + 'static>(
        &mut self,
        work: impl FnOnce() -> T + Send + 'static,
        late: impl FnOnce(T) + Send + 'static,
        now: Instant,
    ) -> Option<T> {
        let is_awaited = self.may_wait(now) && lock(&POOL).has_room(self.owner);
        let awaited = Arc::new(Mutex::new(Awaited { result: None, is_awaited }));
        let theirs = Arc::clone(&awaited);
        let number = add(self.owner, move || {
            let result = work();
            let mut awaited = lock(&theirs);
            if awaited.is_awaited {
                awaited.result = Some(result);
            } else {
                drop(awaited);
                late(result);
            }
        });
        if !is_awaited {
            return None;
        }
        let begun = Instant::now();
        let is_under_way = |pool: &mut Pool| pool.is_under_way(number);
        drop(ENDED.wait_timeout_while(lock(&POOL), PATIENCE, is_under_way));
        self.waited(begun.elapsed(), now);
        let mut awaited = lock(&awaited);
        awaited.is_awaited = false;
        awaited.result.take()
    }
}

/// A result, and whether anybody waits for it.
struct Awaited<T> {
    result: Option<T>,
    is_awaited: bool,
}
