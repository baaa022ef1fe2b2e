//! Threads for what the kernel may keep waiting.
//!
//! Whoever may list a directory, or read a file, can hold its lock for as long as they like, and until they let it go the
//! kernel lets nobody else look for a new name there, or read, and heeds no signal. A program that serves many in one
//! thread has such work done here, waits for it as long as [`Patience`] permits, and goes on.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Threads at the same time. While the kernel holds all of them, everything else waits for one. Only processes that mean
/// harm hold one for long. They count among what the daemon's unit has room for (`TasksMax=`).
pub const THREADS_MAX: usize = 8;

/// How many of them one owner has at most, so that one alone does not keep all others waiting.
const THREADS_OF_ONE: usize = THREADS_MAX / 2;

/// How long to wait for one piece of work: a thousand times what it takes, for a host whose CPUs are all busy.
const PATIENCE: Duration = Duration::from_millis(100);

/// What is waited for one owner is at most one part in so many of the time, in the long run.
const SHARE: u32 = 600;

/// How far ahead of its share it may be when there is one more wait: 50 ms of waiting. Usually work takes 0.05 ms, and on a
/// busy host 10 ms.
const AHEAD: Duration = Duration::from_secs(30);

/// How long a thread stays without work. To start one takes as long as a piece of work.
const IDLE: Duration = Duration::from_secs(1);

/// For work that opens, lists and reads.
const STACK: usize = 128 * 1024;

/// What is waited for one owner of work: a guest, or a place where guests' files are.
#[derive(Debug)]
pub struct Patience {
    owner: Owner,
    /// When [`SHARE`] times of what was waited are over.
    even: Option<Instant>,
}

/// Whose work it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner(u64);

impl Default for Patience {
    fn default() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self { owner: Owner(NEXT.fetch_add(1, Ordering::Relaxed)), even: None }
    }
}

impl Patience {
    /// Whose work is waited for.
    pub fn owner(&self) -> Owner {
        self.owner
    }

    /// Whether nothing was waited lately.
    pub fn is_even(&self, now: Instant) -> bool {
        self.even.is_none_or(|even| even <= now)
    }

    /// Whether one may be waited for.
    fn may_wait(&self, now: Instant) -> bool {
        self.even.is_none_or(|even| even.saturating_duration_since(now) <= AHEAD)
    }

    fn waited(&mut self, time: Duration, now: Instant) {
        let even = self.even.unwrap_or(now).max(now);
        self.even = even.checked_add(time.min(PATIENCE) * SHARE);
    }

    /// Has work done that is of use only soon. `None` if it takes too long, there is no thread for it, or too much was
    /// waited for this owner lately: then it is not begun. A result that comes later is dropped.
    pub fn ask<T: Send + 'static>(
        &mut self,
        work: impl FnOnce() -> T + Send + 'static,
        now: Instant,
    ) -> Option<T> {
        let may_be_done = self.may_wait(now) && lock(&POOL).has_room(self.owner);
        if may_be_done { self.run(work, drop, now) } else { None }
    }

    /// Has work done in any case. `None` if that takes longer than may be waited: then `late` gets the result, in another
    /// thread.
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

/// Has work done in another thread. At most [`THREADS_MAX`] pieces of work are done at the same time, and the others wait.
pub fn begin(owner: Owner, work: impl FnOnce() + Send + 'static) {
    add(owner, work);
}

/// The number that it has.
fn add(owner: Owner, work: impl FnOnce() + Send + 'static) -> u64 {
    let mut pool = lock(&POOL);
    pool.last += 1;
    let number = pool.last;
    pool.waiting.push_back(Job { number, owner, work: Box::new(work) });
    pool.go_on();
    number
}

/// Starts threads for work that waits, where none could be started when it was begun.
pub fn go_on() {
    lock(&POOL).go_on();
}

/// Has the thread that this is called in do no other work, since it has become different from the others: another user's.
pub fn end_with_this() {
    IS_LAST.set(true);
}

thread_local! {
    static IS_LAST: Cell<bool> = const { Cell::new(false) };
}

/// Waits until no work is left, but no longer than that. Whether none is. A process cannot end, nor execute another
/// program, while the kernel holds one of its threads.
pub fn finish(within: Duration) -> bool {
    let mut pool = lock(&POOL);
    pool.go_on();
    let waited = ENDED.wait_timeout_while(pool, within, |pool| !pool.is_idle());
    waited.unwrap_or_else(PoisonError::into_inner).0.is_idle()
}

/// A result, and whether anybody waits for it.
struct Awaited<T> {
    result: Option<T>,
    is_awaited: bool,
}

/// A piece of work.
struct Job {
    number: u64,
    owner: Owner,
    work: Box<dyn FnOnce() + Send>,
}

/// All threads, and what they do.
struct Pool {
    threads: usize,
    /// Those of them that wait for work.
    idle: usize,
    /// What is being done: the number, and the owner.
    running: Vec<(u64, Owner)>,
    /// In the order in which they came.
    waiting: VecDeque<Job>,
    /// The number of what came last.
    last: u64,
}

static POOL: Mutex<Pool> = Mutex::new(Pool {
    threads: 0,
    idle: 0,
    running: Vec::new(),
    waiting: VecDeque::new(),
    last: 0,
});

/// There is work.
static CAME: Condvar = Condvar::new();

/// A piece of it was done.
static ENDED: Condvar = Condvar::new();

impl Pool {
    /// Whether work of this owner would be begun at once.
    fn has_room(&self, owner: Owner) -> bool {
        self.running.len() + self.waiting.len() < THREADS_MAX && self.may_begin(owner)
    }

    fn may_begin(&self, owner: Owner) -> bool {
        self.running.iter().filter(|(_, other)| *other == owner).count() < THREADS_OF_ONE
    }

    fn is_idle(&self) -> bool {
        self.running.is_empty() && self.waiting.is_empty()
    }

    /// Has a thread begin with what waits.
    fn go_on(&mut self) {
        if self.idle > 0 {
            CAME.notify_one();
        }
        if self.idle < self.waiting.len() && self.threads < THREADS_MAX {
            let thread = thread::Builder::new().name("aside".to_owned()).stack_size(STACK);
            self.threads += usize::from(thread.spawn(run).is_ok());
        }
    }

    /// What to do next.
    fn next(&mut self) -> Option<Job> {
        let next = self.waiting.iter().position(|job| self.may_begin(job.owner))?;
        self.waiting.remove(next)
    }

    fn is_under_way(&self, number: u64) -> bool {
        self.running.iter().any(|(other, _)| *other == number)
            || self.waiting.iter().any(|job| job.number == number)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A thread.
fn run() {
    let mut pool = lock(&POOL);
    loop {
        if let Some(Job { number, owner, work }) = pool.next() {
            pool.running.push((number, owner));
            drop(pool);
            work();
            pool = lock(&POOL);
            pool.running.retain(|(other, _)| *other != number);
            ENDED.notify_all();
            if IS_LAST.get() {
                pool.threads -= 1;
                return pool.go_on();
            }
            continue;
        }
        pool.idle += 1;
        let waited = CAME.wait_timeout(pool, IDLE).unwrap_or_else(PoisonError::into_inner);
        let (after, result) = waited;
        pool = after;
        pool.idle -= 1;
        if result.timed_out() && pool.waiting.is_empty() {
            pool.threads -= 1;
            return;
        }
    }
}

#[cfg(test)]
mod tests;
