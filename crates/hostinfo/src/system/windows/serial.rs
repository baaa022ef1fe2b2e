//! A COM port.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::windows::fs::OpenOptionsExt as _;
use std::os::windows::io::OwnedHandle;
use std::path::Path;
use std::time::{Duration, Instant};

use serial2::SerialPort;
use serial2::os::windows::CommTimeouts;

use crate::others::Others;
use crate::port::{OpenError, Port};
use crate::system::windows::{failed, lock::Lock};

/// An open COM port. Requests to it wait, up to its timeouts: serial2's own are overlapped, and Wine has no timeouts
/// for those.
pub(super) struct Serial {
    file: File,
    /// The same port, for its settings.
    settings: SerialPort,
    _lock: Lock,
}

/// What a port that is gone answers (winerror.h): ERROR_BAD_COMMAND, ERROR_GEN_FAILURE, ERROR_OPERATION_ABORTED,
/// ERROR_DEVICE_NOT_CONNECTED, ERROR_DEVICE_REMOVED.
const GONE: [i32; 5] = [22, 31, 995, 1167, 1617];

/// The name of a COM port without what may stand around it: `COM2` for `com2:` and `\\.\COM2`. `None` if the path
/// is not that of a COM port.
pub(super) fn com_port(path: &Path) -> Option<&str> {
    let name = path.to_str()?;
    let name = name.strip_prefix(r"\\.\").unwrap_or(name);
    let name = name.strip_suffix(':').unwrap_or(name);
    let (begin, number) = name.split_at_checked("COM".len())?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    (begin.eq_ignore_ascii_case("COM") && is_number).then_some(name)
}

impl Serial {
    /// Opens the port with that name, such as `COM2`.
    ///
    /// # Errors
    /// [`OpenError`].
    pub(super) fn open(name: &str, lock: Lock) -> Result<Self, OpenError> {
        /// A UART that is emulated sends at any speed.
        const SPEED: u32 = 115_200;
        let mut options = File::options();
        options.read(true).write(true).share_mode(0);
        // A port that another program has open is denied to everybody else.
        let file = options
            .open(format!(r"\\.\{name}"))
            .map_err(|error| failed(error, OpenError::Busy(Others::default())))?;
        let mut port = SerialPort::from(OwnedHandle::from(file.try_clone()?));
        let mut settings = port.get_configuration()?;
        settings.set_raw();
        settings.set_baud_rate(SPEED)?;
        port.set_configuration(&settings)?;
        Ok(Self { file, settings: port, _lock: lock })
    }

    /// Has requests wait that long.
    fn wait_for(&self, time: Duration) -> io::Result<()> {
        // Zero would mean no timeout.
        let millis = time.as_millis().try_into().unwrap_or(u32::MAX).max(1);
        self.settings.set_windows_timeouts(&CommTimeouts {
            read_interval_timeout: 0,
            read_total_timeout_multiplier: 0,
            read_total_timeout_constant: millis,
            write_total_timeout_multiplier: 0,
            write_total_timeout_constant: millis,
        })
    }

    /// Has reads take what is there (COMMTIMEOUTS in winbase.h).
    fn wait_for_nothing(&self) -> io::Result<()> {
        self.settings.set_windows_timeouts(&CommTimeouts {
            read_interval_timeout: u32::MAX,
            read_total_timeout_multiplier: 0,
            read_total_timeout_constant: 0,
            write_total_timeout_multiplier: 0,
            write_total_timeout_constant: 1,
        })
    }

    /// Waits for a byte, and takes what has come with it.
    fn read_some(&mut self, buffer: &mut [u8], time: Duration) -> io::Result<usize> {
        let Some((first, rest)) = buffer.split_first_mut() else { return Ok(0) };
        self.wait_for(time)?;
        if self.file.read(std::slice::from_mut(first))? == 0 {
            return Err(ErrorKind::TimedOut.into());
        }
        self.wait_for_nothing()?;
        Ok(1 + self.file.read(rest)?)
    }

    /// Writes some of the bytes.
    fn write_some(&mut self, bytes: &[u8], time: Duration) -> io::Result<usize> {
        self.wait_for(time)?;
        match self.file.write(bytes)? {
            0 => Err(ErrorKind::TimedOut.into()),
            length => Ok(length),
        }
    }
}

/// The time left, if there is any.
fn left(until: Instant) -> io::Result<Duration> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
}

fn unless_gone(error: io::Error) -> io::Error {
    let is_gone = error.kind() == ErrorKind::PermissionDenied
        || error.raw_os_error().is_some_and(|number| GONE.contains(&number));
    if is_gone { ErrorKind::NotConnected.into() } else { error }
}

impl Port for Serial {
    fn read(&mut self, buffer: &mut [u8], until: Instant) -> io::Result<usize> {
        self.read_some(buffer, left(until)?).map_err(unless_gone)
    }

    fn write(&mut self, mut bytes: &[u8], until: Instant) -> io::Result<()> {
        while !bytes.is_empty() {
            let length = self.write_some(bytes, left(until)?).map_err(unless_gone)?;
            bytes = bytes.get(length..).unwrap_or_default();
        }
        Ok(())
    }
}

impl Drop for Serial {
    /// Bytes that a dead host has not read would delay the close.
    fn drop(&mut self) {
        let _ = self.settings.discard_output_buffer();
    }
}
