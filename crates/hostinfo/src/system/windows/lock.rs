//! Keeps other copies of this program from a port that is in use. Windows opens a COM port for one program only.
//! The driver vioserial, however, lets a second program open a channel and then gives it the first one's data:
//! its STATUS_OBJECT_NAME_EXISTS (vioserial/sys/Port.c) is a success.

use std::path::Path;

use tokio::net::windows::named_pipe::{NamedPipeServer, ServerOptions};
use tokio::runtime::Runtime;

use crate::others::Others;
use crate::port::OpenError;
use crate::system::windows::{channel::runtime, failed};

/// Held while the port is open. It is a named pipe of which there can be one, and which goes when its program ends in
/// any way. Nobody connects to it.
pub(super) struct Lock {
    // Dropped in this order.
    _pipe: NamedPipeServer,
    _runtime: Runtime,
}

impl Lock {
    /// Takes the lock of the port at `path`, which is written in the same way each time.
    ///
    /// # Errors
    /// [`OpenError::Busy`] if another copy of this program has it.
    pub(super) fn take(path: &Path) -> Result<Self, OpenError> {
        let runtime = runtime()?;
        let entered = runtime.enter();
        let created = ServerOptions::new().max_instances(1).create(name(path));
        drop(entered);
        // ERROR_PIPE_BUSY, or that the pipe is another user's.
        let pipe = created.map_err(|error| failed(error, OpenError::Busy(Others::default())))?;
        Ok(Self { _pipe: pipe, _runtime: runtime })
    }
}

/// The name of a port's lock, in which `\` may not stand: `\\.\pipe\hostinfo-COM2`.
fn name(path: &Path) -> String {
    let path = path.to_string_lossy();
    let port = path.strip_prefix(r"\\.\").unwrap_or(&path).replace('\\', "_");
    format!(r"\\.\pipe\hostinfo-{port}")
}
