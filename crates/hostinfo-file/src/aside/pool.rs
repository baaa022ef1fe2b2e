//! The threads, and what they do.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Threads at the same time. While all of them are held, further work waits for one. Only processes that mean harm hold
/// one for long. `TasksMax=` of the daemon's unit has room for them.
pub const THREADS_MAX: usize = 8;

/// The most that work for one owner, so that no owner alone keeps all others waiting.
pub(super) const THREADS_OF_ONE: usize = THREADS_MAX / 2;

/// How long a thread without work stays. Starting one takes as long as a piece of work.
const IDLE: Duration = Duration::from_secs(1);

/// For work that opens, lists and reads.
const STACK: usize = 128 * 1024;

/// Whose work it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner(u64);

impl Owner {
    /// Another than all before.
    pub(super) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// Has work done in another thread. At most [`THREADS_MAX`] pieces of work are done at the same time, and the others wait.
pub fn begin(owner: Owner, work: impl FnOnce() + Send + 'static) {
    add(owner, work);
}

/// Queues a piece of work, and returns its number.
pub(super) fn add(owner: Owner, work: impl FnOnce() + Send + 'static) -> u64 {
    let mut pool = lock(&POOL);
    pool.last += 1;
    let number = pool.last;
    pool.waiting.push_back(Job { number, owner, work: Box::new(work) });
    pool.go_on();
    number
}

/// Starts a thread for work that waits, in case none could be started when it was queued.
pub(super) fn go_on() {
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

/// A piece of work.
pub(super) struct Job {
    number: u64,
    owner: Owner,
    work: Box<dyn FnOnce() + Send>,
}

/// All threads, and what they do.
pub(super) struct Pool {
    pub(super) threads: usize,
    /// Those of them that wait for work.
    idle: usize,
    /// What is being done: the number, and the owner.
    pub(super) running: Vec<(u64, Owner)>,
    /// In the order in which they came.
    pub(super) waiting: VecDeque<Job>,
    /// The number of what came last.
    last: u64,
}

pub(super) static POOL: Mutex<Pool> = Mutex::new(Pool {
    threads: 0,
    idle: 0,
    running: Vec::new(),
    waiting: VecDeque::new(),
    last: 0,
});

/// There is work.
static CAME: Condvar = Condvar::new();

/// A piece of it was done.
pub(super) static ENDED: Condvar = Condvar::new();

impl Pool {
    /// Whether work of this owner would be begun at once.
    pub(super) fn has_room(&self, owner: Owner) -> bool {
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

    pub(super) fn has_any_of(&self, owner: Owner) -> bool {
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

    pub(super) fn is_under_way(&self, number: u64) -> bool {
        self.running.iter().any(|(other, _)| *other == number)
            || self.waiting.iter().any(|job| job.number == number)
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
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
