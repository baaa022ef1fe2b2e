//! Sockets at whose other end anybody may be.
//!
//! Whoever writes to a Unix socket can send descriptors with the bytes: SCM_RIGHTS, unix(7). The kernel closes those that
//! nobody takes, in the thread that reads the bytes or closes the socket. If that closes a file for good, it can take as
//! long as the sender likes: a TCP socket with SO_LINGER waits for its own other end, and gigabytes of memory have to be
//! freed. A program with one thread then does nothing else.
//!
//! So from Linux 6.16 on, the kernel is told to refuse them: [`refuse_descriptors`]. On older ones, a [`PeerSocket`] looks
//! before it reads. If some have come, they are left where they are, and the socket is closed with them in a thread of its
//! own. Nobody takes them, since the kernel closes there and then what it cannot hand over: where too many files are open,
//! or SELinux forbids it.

#![cfg(target_os = "linux")]

mod bind;
mod closing;
mod descriptors;
mod epoll;
#[cfg(any(test, feature = "examples"))]
pub mod examples;
mod listener;
mod socket;

pub use bind::bind_with_mode;
pub use closing::{Unclosed, unclosed};
pub use descriptors::{PASS_RIGHTS, refuse_descriptors};
pub use epoll::Epoll;
pub use listener::PeerListener;
pub use socket::{PeerSocket, ReadError};
