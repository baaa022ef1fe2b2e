//! Threads that close what may take long to close.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;

use rustix::event::epoll;

/// How many threads close at once. If all are busy, what comes next stays open until one is free: only somebody who
/// means harm sends descriptors, and that is not worth another thread.
const THREADS_MAX: usize = 8;

/// Enough for a thread that does nothing but call close(2).
const STACK: usize = 64 * 1024;

/// What is to be closed, and who is counted for it.
struct Socket {
    fd: OwnedFd,
    of: Unclosed,
}

/// All that is not closed yet.
struct Closing {
    threads: usize,
    waiting: VecDeque<Socket>,
    epolls: Vec<Weak<OwnedFd>>,
}

static CLOSING: Mutex<Closing> =
    Mutex::new(Closing { threads: 0, waiting: VecDeque::new(), epolls: Vec::new() });

static UNCLOSED: AtomicUsize = AtomicUsize::new(0);

/// Counts what one sender's connections have left to be closed. Whoever serves it can wait with its next connection until
/// that is done, so that no sender has more than a few descriptors kept open.
#[derive(Debug, Clone, Default)]
pub struct Unclosed(Arc<AtomicUsize>);

impl Unclosed {
    /// How many of the sender's connections are still to be closed.
    pub fn count(&self) -> usize {
        let count = self.0.load(Ordering::Relaxed);
        if count > 0 {
            // There may have been no thread for it.
            lock().start_a_thread();
        }
        count
    }
}

/// The same for all senders together. A program must not execute another one before it is 0: that would close in its
/// only thread what is still waiting.
pub fn unclosed() -> usize {
    UNCLOSED.load(Ordering::Relaxed)
}

/// Has what is closed in another thread taken out of this epoll(7) at once, as if it were closed. Otherwise the kernel would
/// report without end, until there is a thread for it, that its other end has sent something.
pub(crate) fn take_out_of(epoll: &Arc<OwnedFd>) {
    let epolls = &mut lock().epolls;
    epolls.retain(|epoll| epoll.strong_count() > 0);
    epolls.push(Arc::downgrade(epoll));
}

/// Closes it in another thread.
pub(crate) fn close(fd: OwnedFd, of: Unclosed) {
    of.0.fetch_add(1, Ordering::Relaxed);
    UNCLOSED.fetch_add(1, Ordering::Relaxed);
    let mut closing = lock();
    for epoll in closing.epolls.iter().filter_map(Weak::upgrade) {
        // It is in one of them at the most.
        let _ = epoll::delete(&*epoll, &fd);
    }
    closing.waiting.push_back(Socket { fd, of });
    closing.start_a_thread();
}

impl Closing {
    /// Starts a thread if something waits for one and there are fewer than [`THREADS_MAX`].
    fn start_a_thread(&mut self) {
        if self.waiting.is_empty() || self.threads >= THREADS_MAX {
            return;
        }
        let thread = thread::Builder::new().name("close".to_owned()).stack_size(STACK);
        if thread.spawn(run).is_ok() {
            self.threads += 1;
        }
    }
}

fn lock() -> MutexGuard<'static, Closing> {
    CLOSING.lock().unwrap_or_else(PoisonError::into_inner)
}

fn run() {
    while let Some(Socket { fd, of }) = next() {
        drop(fd);
        of.0.fetch_sub(1, Ordering::Relaxed);
        UNCLOSED.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What to close next. If there is nothing, the thread that asks must end.
fn next() -> Option<Socket> {
    let mut closing = lock();
    let next = closing.waiting.pop_front();
    if next.is_none() {
        closing.threads -= 1;
    }
    next
}
