//! Windows.

mod channel;
mod lock;
mod serial;
mod signal;
mod tty;

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::windows::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::args::{Options, Serve};
use crate::exit::{Failure, Outcome};
use crate::others::Others;
use crate::port::{OpenError, Port};
use crate::system::windows::lock::Lock;
use crate::views::roots::Roots;
use crate::way::Way;

pub(crate) use signal::on_end_by_signal;
pub(crate) use tty::RawTty;

/// The virtio channel, as the driver vioserial names it.
const CHANNEL: &str = r"\\.\Global\org.hostinfo.0";

/// The second serial port, at the address 0x2f8.
pub(crate) const SERIAL: &str = "COM2";

/// Only the host's view is shown.
pub(crate) const WHY_NO_OWN_VIEW: Option<&str> = Some(
    "On Windows hostinfo does not read the guest's own counters: this is the host's view alone",
);

/// The time between two tries to open a busy port: an answer takes milliseconds.
const BUSY_PAUSE: Duration = Duration::from_millis(50);

/// The errors of CreateFile and others (winerror.h) for which [`ErrorKind`] has no portable name.
const ERROR_SHARING_VIOLATION: i32 = 32;
const ERROR_PIPE_BUSY: i32 = 231;

/// The ways to try, in this order: the channel, which loses no data and exists only for this purpose, and the
/// serial port. No other COM port is tried, since what is behind it may take our bytes for its own.
pub(crate) fn usual_ways() -> Vec<Way> {
    vec![Way::Device(CHANNEL.into()), Way::Device(SERIAL.into())]
}

/// The same: there is no broker.
pub(crate) fn ways_without_broker() -> Vec<Way> {
    usual_ways()
}

/// Only administrators can make links here, unless they permit it to others.
pub(crate) fn is_own(_: &Path) -> bool {
    true
}

/// Unix sockets are no way to the host here.
pub(crate) fn is_socket(_: &Path) -> bool {
    false
}

/// Opens a way that no other program has open. If one has, tries again for `timeout`.
///
/// # Errors
/// [`OpenError`].
pub(crate) fn open(way: &Way, timeout: Duration) -> Result<Box<dyn Port>, OpenError> {
    let Way::Device(path) = way else {
        let why =
            "only guests with Linux have this way to their host. Name a COM port, such as COM2";
        return Err(io::Error::new(ErrorKind::Unsupported, why).into());
    };
    let deadline = Instant::now() + timeout;
    loop {
        match try_open(path) {
            Err(OpenError::Busy(_)) if Instant::now() < deadline => std::thread::sleep(BUSY_PAUSE),
            done => return done,
        }
    }
}

fn try_open(path: &Path) -> Result<Box<dyn Port>, OpenError> {
    let com_port = serial::com_port(path);
    let lock = Lock::take(com_port.map_or(path, Path::new))?;
    Ok(match com_port {
        Some(name) => Box::new(serial::Serial::open(name, lock)?),
        None => Box::new(channel::Channel::open(path, lock)?),
    })
}

/// What is wrong with a port that CreateFile does not open. If access is denied, `denied` says why.
fn failed(error: io::Error, denied: OpenError) -> OpenError {
    match (error.kind(), error.raw_os_error()) {
        (_, Some(ERROR_SHARING_VIOLATION | ERROR_PIPE_BUSY)) => OpenError::Busy(Others::default()),
        (ErrorKind::NotFound, _) => OpenError::Missing,
        (ErrorKind::PermissionDenied, _) => denied,
        _ => error.into(),
    }
}

/// Which programs have a port open is not known: Windows does not say.
pub(crate) fn others_on(_: &Path) -> Others {
    Others::default()
}

/// Other copies of this program are not looked for.
pub(crate) fn copies(_: &[&str]) -> Others {
    Others::default()
}

/// Opens a file to read it and append to it, and creates it if necessary. `None` if another program has it open
/// for writing. Others may still read it.
///
/// # Errors
/// Those of CreateFile.
pub(crate) fn open_to_append(path: &Path) -> io::Result<Option<File>> {
    const FILE_SHARE_READ: u32 = 1;
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true).share_mode(FILE_SHARE_READ);
    match options.open(path) {
        Err(error) if error.raw_os_error() == Some(ERROR_SHARING_VIOLATION) => Ok(None),
        opened => opened.map(Some),
    }
}

/// There is no /proc and no /sys: no file can have this name.
pub(crate) fn own_roots() -> Roots {
    Roots { proc: "<none>".into(), sys: "<none>".into() }
}

/// Bytes per page of memory on x86-64.
pub(crate) fn page_size() -> u64 {
    4096
}

/// Refuses to be a broker.
///
/// # Errors
/// Always.
pub(crate) fn serve(_: &Options, _: &Serve) -> Result<Outcome, Failure> {
    Err(Failure::Usage(
        "serve is for guests with Linux. On Windows, programs take turns at the port: run them with --wait".to_owned(),
    ))
}
