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
        "{path}: no hostinfod answers there: start it (service hostinfo start), or name its socket with --control; where it runs, its log says why it has no such socket",
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
    #[error("the answer is not one of hostinfod's: are it and this program of one version? ({0})")]
    Nonsense(String),
    /// More is asked at once than the daemon takes: [`REQUEST_MAX`].
    #[error("what is asked has {0} bytes, and may have {REQUEST_MAX}: ask for less at once")]
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
