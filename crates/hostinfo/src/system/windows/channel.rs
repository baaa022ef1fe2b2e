//! A virtio channel, as the driver vioserial offers it.
//!
//! It has no timeouts, and a read that waits would hold up every write through the same handle. So it is read and
//! written as named pipes are: overlapped, and with what still waits cancelled when it is closed.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::Instant;

use tokio::net::windows::named_pipe::{ClientOptions, NamedPipeClient};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout_at;

use crate::port::{OpenError, Port};
use crate::system::windows::{failed, lock::Lock};

/// An open channel.
pub(super) struct Channel {
    // Dropped in this order: what the pipe has cancelled is cleared away by its runtime.
    pipe: NamedPipeClient,
    runtime: Runtime,
    _lock: Lock,
}

/// What vioserial answers if nobody is at the other end, as Windows translates its STATUS_INSUFFICIENT_RESOURCES of a
/// read and STATUS_CANT_WAIT of a write: ERROR_NO_SYSTEM_RESOURCES, ERROR_CANT_WAIT. A channel that was unplugged:
/// ERROR_OBJECT_NO_LONGER_EXISTS, ERROR_DEVICE_REMOVED. A pipe: ERROR_BROKEN_PIPE, ERROR_NO_DATA (winerror.h).
const GONE: [i32; 6] = [1450, 554, 6807, 1617, 109, 232];

/// Runs what this thread waits for.
///
/// # Errors
/// Windows has no more handles.
pub(super) fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_io().enable_time().build()
}

impl Channel {
    /// Opens a channel, whose path is one of devices: `\\.\Global\org.hostinfo.0`.
    ///
    /// # Errors
    /// [`OpenError`].
    pub(super) fn open(path: &Path, lock: Lock) -> Result<Self, OpenError> {
        // Anything else is a file, which would be written to.
        let is_device =
            path.to_str().is_some_and(|path| path.starts_with(r"\\.\") && !path.contains(':'));
        if !is_device {
            return Err(OpenError::NotAPort);
        }
        let runtime = runtime()?;
        let entered = runtime.enter();
        let opened = ClientOptions::new().open(path);
        drop(entered);
        // vioserial admits nobody else: SDDL_DEVOBJ_SYS_ALL_ADM_ALL in vioserial/sys/Port.c.
        let denied = "channels are for administrators. Start hostinfo as an administrator";
        let pipe = opened.map_err(|error| failed(error, OpenError::Denied(denied.to_owned())))?;
        Ok(Self { pipe, runtime, _lock: lock })
    }
}

/// Waits for what `io` does, until then.
fn wait<T>(
    runtime: &Runtime,
    until: Instant,
    io: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    let done = runtime.block_on(async { timeout_at(until.into(), io).await });
    done.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into())).map_err(|error| {
        let is_gone = error.raw_os_error().is_some_and(|number| GONE.contains(&number));
        if is_gone { ErrorKind::NotConnected.into() } else { error }
    })
}

impl Port for Channel {
    fn read(&mut self, buffer: &mut [u8], until: Instant) -> io::Result<usize> {
        let read = async {
            loop {
                self.pipe.readable().await?;
                match self.pipe.try_read(buffer) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    done => return done,
                }
            }
        };
        match wait(&self.runtime, until, read)? {
            0 => Err(ErrorKind::NotConnected.into()),
            length => Ok(length),
        }
    }

    fn write(&mut self, mut bytes: &[u8], until: Instant) -> io::Result<()> {
        let write = async {
            while !bytes.is_empty() {
                self.pipe.writable().await?;
                match self.pipe.try_write(bytes) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    written => bytes = bytes.get(written?..).unwrap_or_default(),
                }
            }
            Ok(())
        };
        wait(&self.runtime, until, write)
    }
}
