//! Why a client gets no reply.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::Refusal;
use crate::limits::REQUEST_MAX;

/// As text, each is one line with the remedy.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no socket, or nobody listens at it.
    #[error(
        "{path}: hostinfod does not answer there: start it (service hostinfo start), or name its socket with --control; if it is running, its log has the reason",
        path = .path.display()
    )]
    NoDaemon {
        /// The socket.
        path: PathBuf,
    },
    /// The socket's mode does not permit this user.
    #[error(
        "{path}: user {user} may not connect: be root or in the group of the socket, which `group` in hostinfod.toml sets",
        path = .path.display()
    )]
    Denied {
        /// The socket.
        path: PathBuf,
        /// This process's user.
        user: u32,
    },
    /// The daemon hangs, or is very busy.
    #[error(
        "{path}: hostinfod did not answer within {} s: ask again; if it stays silent, its log may have the reason",
        .within.as_secs(),
        path = .path.display()
    )]
    Silent {
        /// The socket.
        path: PathBuf,
        /// How long it was waited for.
        within: Duration,
    },
    /// The daemon ended, or closed the connection.
    #[error("{path}: hostinfod has closed the connection: its log has the reason", path = .0.display())]
    Closed(PathBuf),
    /// The other end is not hostinfod, or is another version of it.
    #[error(
        "this answer is not one of hostinfod's: check that it has the same version as this program ({0})"
    )]
    Nonsense(String),
    /// The request is longer than the daemon accepts: [`REQUEST_MAX`].
    #[error("the request has {0} bytes, over the limit of {REQUEST_MAX}: ask for less at once")]
    TooLong(usize),
    /// The daemon refused the call.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Any other error of the operating system.
    #[error("{path}: {error}", path = .path.display())]
    Failed {
        /// The socket.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
}
