//! Why a client has no answer.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::Refusal;
use crate::limits::REQUEST_MAX;

/// Shown, each is one line with the remedy.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing is there, or nobody listens.
    #[error(
        "{path}: no hostinfod answers there: start it (service hostinfo start), or name its socket with --control; if it is running, its log has the reason",
        path = .path.display()
    )]
    NoDaemon {
        /// The socket.
        path: PathBuf,
    },
    /// The socket's mode.
    #[error(
        "{path}: permission denied: be root or in the group of the socket, which `group` in hostinfod.toml sets",
        path = .path.display()
    )]
    Denied {
        /// The socket.
        path: PathBuf,
    },
    /// The daemon hangs, or is very busy.
    #[error("hostinfod did not answer within {} s", .0.as_secs())]
    Silent(Duration),
    /// The daemon has ended, or has dropped us.
    #[error("hostinfod has closed the connection")]
    Closed,
    /// It is no hostinfod, or one of another version.
    #[error(
        "this is not an answer of hostinfod's: is it of the same version as this program? ({0})"
    )]
    Nonsense(String),
    /// More is asked at once than the daemon takes: [`REQUEST_MAX`].
    #[error("the request has {0} bytes, over the limit of {REQUEST_MAX}: ask for less at once")]
    TooLong(usize),
    /// The daemon said no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Anything else that the system has.
    #[error("{path}: {error}", path = .path.display())]
    Failed {
        /// The socket.
        path: PathBuf,
        /// What it had.
        error: io::Error,
    },
}
