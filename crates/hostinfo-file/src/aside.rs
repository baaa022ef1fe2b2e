//! Threads for work in the kernel that other processes can hold up.
//!
//! Whoever may list a directory, or read a file, can hold its lock for as long as they like. Until they release it,
//! everybody else who looks for a new name there, or reads the file, waits in the kernel, where no signal reaches them. A
//! program that serves all its clients in one thread has such work done in another one here, waits for it as long as
//! [`Patience`] permits, and goes on.

mod signal;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

pub use signal::Signal;

/// Threads at the same time. While all of them are held, further work waits for one. Only processes that mean harm hold
/// one for long. `TasksMax=` of the daemon's unit has room for them.
pub const THREADS_MAX: usize = 8;

/// The most that work for one owner, so that no owner alone keeps all others waiting.
const THREADS_OF_ONE: usize = THREADS_MAX / 2;

/// How long to wait for one piece of work: a thousand times what it usually takes, since a host's CPUs may all be busy.
const PATIENCE: Duration = Duration::from_millis(100);

/// Waiting for one owner takes at most a 600th of the time in the long run.
const SHARE: u32 = 600;

/// An owner whose waits are further ahead of that share than this is not waited for. It amounts to 50 ms of waiting: work
/// usually takes 0.05 ms, and 10 ms on a busy host.
const AHEAD: Duration = Duration::from_secs(30);

/// Work that takes this long is held by somebody.
pub const HELD_AFTER: Duration = Duration::from_secs(1);

/// How long a thread without work stays. Starting one takes as long as a piece of work.
const IDLE: Duration = Duration::from_secs(1);

/// For work that opens, lists and reads.
const STACK: usize = 128 * 1024;

/// How much was waited for one owner of work: a guest, a place where guests' sockets are, or a statistic.
#[derive(Debug)]
pub struct Patience {
    owner: Owner,
    /// When [`SHARE`] times as long as was waited will have passed. `None` if nothing was.
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
    /// For whom it counts.
    pub fn owner(&self) -> Owner {
        self.owner
    }

    /// Whether what was waited is so long ago that it does not count any more.
    pub fn is_even(&self, now: Instant) -> bool {
        self.even.is_none_or(|even| even <= now)
    }

    /// Whether there may be one more wait.
    fn may_wait(&self, now: Instant) -> bool {
        self.even.is_none_or(|even| even.saturating_duration_since(now) <= AHEAD)
    }

    fn waited(&mut self, time: Duration, now: Instant) {
        let even = self.even.unwrap_or(now).max(now);
        self.even = even.checked_add(time.min(PATIENCE) * SHARE);
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

/// Has work done in another thread. At most [`THREADS_MAX`] pieces of work are done at the same time, and the others wait.
pub fn begin(owner: Owner, work: impl FnOnce() + Send + 'static) {
    add(owner, work);
}

/// Queues a piece of work, and returns its number.
fn add(owner: Owner, work: impl FnOnce() + Send + 'static) -> u64 {
    let mut pool = lock(&POOL);
    pool.last += 1;
    let number = pool.last;
    pool.waiting.push_back(Job { number, owner, work: Box::new(work) });
    pool.go_on();
    number
}

/// Starts a thread for work that waits, in case none could be started when it was queued.
pub fn go_on() {
    lock(&POOL).go_on();
}

/// Waits up to `within` until no work is left, and returns whether none is. A process can neither end nor execute another
/// program while one of its threads waits in the kernel.
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
        // Of one owner, no more count than may be done at once: the others keep no thread from anybody.
        let mut owners: Vec<Owner> = self.running.iter().map(|(_, owner)| *owner).collect();
        let of = |owners: &[Owner], one| owners.iter().filter(|other| **other == one).count();
        for job in &self.waiting {
            if owners.len() < THREADS_MAX && of(&owners, job.owner) < THREADS_OF_ONE {
                owners.push(job.owner);
            }
        }
        owners.len() < THREADS_MAX && of(&owners, owner) < THREADS_OF_ONE
    }

    fn may_begin(&self, owner: Owner) -> bool {
        self.running.iter().filter(|(_, other)| *other == owner).count() < THREADS_OF_ONE
    }

    fn has_any_of(&self, owner: Owner) -> bool {
        self.running.iter().any(|(_, other)| *other == owner)
            || self.waiting.iter().any(|job| job.owner == owner)
    }

    fn is_idle(&self) -> bool {
        self.running.is_empty() && self.waiting.is_empty()
    }

    /// Wakes or starts a thread for what waits.
    fn go_on(&mut self) {
        if self.idle > 0 {
            CAME.notify_one();
        }
        if self.idle < self.waiting.len() && self.threads < THREADS_MAX {
            let thread = thread::Builder::new().name("aside".to_owned()).stack_size(STACK);
            self.threads += usize::from(thread.spawn(run).is_ok());
        }
    }

    /// The first piece of work that may be begun.
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

/// What each thread does.
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
