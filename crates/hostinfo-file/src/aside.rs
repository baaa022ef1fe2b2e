//! Threads for work in the kernel that other processes can hold up.
//!
//! Whoever may list a directory, or read a file, can hold its lock for as long as they like. Until they release it,
//! everybody else who looks for a new name there, or reads the file, waits in the kernel, where no signal reaches them. A
//! program that serves all its clients in one thread has such work done in another one here, waits for it as long as
//! [`Patience`] permits, and goes on.

mod looks;
mod patience;
mod pool;
mod signal;

pub use looks::{HELD_AFTER, Late, Looks};
pub use patience::Patience;
pub use pool::{Owner, THREADS_MAX, begin, finish};
pub use signal::Signal;

#[cfg(test)]
mod tests;
