//! Threads that close what may take long to close.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// Such threads at most. If all are busy, what comes next stays open until one is free: nobody sends descriptors but
/// whoever means harm, and none of theirs is worth a thread more.
const THREADS_MAX: usize = 8;

/// A thread only closes.
const STACK: usize = 64 * 1024;

/// What is to be closed, and who is counted for it.
struct Batch {
    descriptors: Vec<OwnedFd>,
    of: Unclosed,
}

/// All that is not closed yet.
struct Closing {
    threads: usize,
    waiting: VecDeque<Batch>,
}

static CLOSING: Mutex<Closing> = Mutex::new(Closing { threads: 0, waiting: VecDeque::new() });

static UNCLOSED: AtomicUsize = AtomicUsize::new(0);

/// Counts what one sender's connections have left to be closed. Whoever serves it can wait with its next connection until
/// that is done, so that no sender has more than a few descriptors kept open.
#[derive(Debug, Clone, Default)]
pub struct Unclosed(Arc<AtomicUsize>);

impl Unclosed {
    /// How often something is still to be closed.
    pub fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// The same for all senders together. A program must not execute another one before it is 0: that would close in its
/// only thread what is still waiting.
pub fn unclosed() -> usize {
    UNCLOSED.load(Ordering::Relaxed)
}

/// Closes the descriptors in another thread.
pub(crate) fn close(descriptors: Vec<OwnedFd>, of: Unclosed) {
    of.0.fetch_add(1, Ordering::Relaxed);
    UNCLOSED.fetch_add(1, Ordering::Relaxed);
    let mut closing = CLOSING.lock().unwrap_or_else(PoisonError::into_inner);
    closing.waiting.push_back(Batch { descriptors, of });
    if closing.threads < THREADS_MAX {
        let thread = thread::Builder::new().name("close".to_owned()).stack_size(STACK);
        // If there is none, the next one to be started closes this, too.
        if thread.spawn(run).is_ok() {
            closing.threads += 1;
        }
    }
}

fn run() {
    while let Some(Batch { descriptors, of }) = next() {
        drop(descriptors);
        of.0.fetch_sub(1, Ordering::Relaxed);
        UNCLOSED.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What to close next. If there is nothing, the thread that asks must end.
fn next() -> Option<Batch> {
    let mut closing = CLOSING.lock().unwrap_or_else(PoisonError::into_inner);
    let next = closing.waiting.pop_front();
    if next.is_none() {
        closing.threads -= 1;
    }
    next
}
