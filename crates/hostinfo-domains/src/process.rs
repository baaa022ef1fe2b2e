//! The helper's process and the socket to it.

use std::ffi::OsString;
use std::io::{self, ErrorKind, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use hostinfo_peer::{PeerSocket, ReadError, Unclosed, refuse_descriptors};
use rustix::io::Errno;

use crate::errors::Errors;
use crate::limits::{CHUNK, LINE_MAX};
use crate::lines::{Lines, TooLong};
use crate::message::{Ask, Message, message, to_line};

/// The helper's program.
pub const PROGRAM: &str = "hostinfo-libvirt";

/// Where the program may be, for a program that runs from `own`: beside it, or in
/// `PREFIX/libexec/hostinfo`.
pub fn programs(own: &Path) -> Vec<PathBuf> {
    let folder = own.parent().unwrap_or(Path::new("/"));
    let prefix = folder.parent().unwrap_or(Path::new("/"));
    vec![folder.join(PROGRAM), prefix.join("libexec/hostinfo").join(PROGRAM)]
}

/// Starts the first of the programs that exists, with the other end of the socket as its input and
/// output. Libraries may write to `stderr` on their own.
pub(crate) fn spawn(
    programs: &[PathBuf],
    arguments: &[OsString],
    stderr: impl Fn() -> io::Result<Stdio>,
) -> io::Result<(Child, UnixStream)> {
    let mut missing = io::Error::from(ErrorKind::NotFound);
    for program in programs {
        let (ours, theirs) = pair()?;
        let input = OwnedFd::from(theirs.try_clone()?);
        let started = Command::new(program)
            .args(arguments)
            .stdin(Stdio::from(input))
            .stdout(Stdio::from(OwnedFd::from(theirs)))
            .stderr(stderr()?)
            .spawn();
        match started {
            Ok(child) => return Ok((child, ours)),
            Err(error) if error.kind() == ErrorKind::NotFound => missing = error,
            Err(error) => return Err(error),
        }
    }
    Err(missing)
}

/// A socket for one of the helper's descriptors, and the end that it gets. Not a pipe: whoever has one end of a pipe can
/// keep everybody from reading and from closing the other.
fn pair() -> io::Result<(UnixStream, UnixStream)> {
    let (ours, theirs) = UnixStream::pair()?;
    refuse_descriptors(&ours);
    Ok((ours, theirs))
}

/// A running helper. It ends when the socket is closed, and so when the daemon ends.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    stream: PeerSocket,
    lines: Lines,
    errors: Errors,
}

impl Process {
    /// Starts the first of the programs that exists, with the socket as its input and output. What it leaves to be closed is
    /// counted in `unclosed`.
    pub(crate) fn start(
        programs: &[PathBuf],
        arguments: &[OsString],
        unclosed: &Unclosed,
    ) -> io::Result<Self> {
        let (errors, theirs) = pair()?;
        let stderr = || Ok(OwnedFd::from(theirs.try_clone()?).into());
        let (child, stream) = spawn(programs, arguments, stderr)?;
        let ours = |socket: UnixStream| {
            socket.set_nonblocking(true)?;
            Ok::<_, io::Error>(PeerSocket::new(socket.into(), unclosed.clone()))
        };
        let (stream, errors) = (ours(stream)?, Errors::new(ours(errors)?));
        Ok(Self { child, stream, lines: Lines::default(), errors })
    }

    /// What it writes to standard error.
    pub(crate) fn errors(&mut self) -> &mut Errors {
        &mut self.errors
    }

    /// Reads what has arrived, at most one chunk, and returns whether the helper still runs.
    pub(crate) fn read(&mut self) -> Result<bool, ReadError> {
        let mut chunk = [0; CHUNK];
        match self.stream.read(&mut chunk) {
            Ok(length) => {
                self.lines.add(chunk.get(..length).unwrap_or_default());
                Ok(length > 0)
            }
            Err(ReadError::System(Errno::AGAIN | Errno::INTR)) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// The next message in what was read, or what is wrong with it.
    pub(crate) fn next(&mut self) -> Result<Option<Message>, String> {
        match self.lines.next() {
            Ok(Some(line)) => message(line).map(Some).map_err(|error| error.to_string()),
            Ok(None) => Ok(None),
            Err(TooLong) => Err(format!("hostinfo-libvirt sent a line over {LINE_MAX} bytes")),
        }
    }

    /// Sends a request. It fits into the socket, since the helper has read the previous one; if it
    /// does not take the request, it is broken.
    pub(crate) fn ask(&mut self, ask: &Ask) -> io::Result<()> {
        let line = to_line(ask).ok_or(ErrorKind::InvalidInput)?;
        self.stream.write_all(&line)
    }

    /// The process's number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills it. The caller must wait for its end: it may hang in the kernel.
    pub(crate) fn kill(mut self) -> Child {
        // It only fails if the child has already been reaped.
        let _ = self.child.kill();
        self.child
    }
}

impl AsFd for Process {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_beside_the_daemon_or_in_its_prefix() {
        assert_eq!(
            programs(Path::new("/usr/sbin/hostinfod")),
            ["/usr/sbin/hostinfo-libvirt", "/usr/libexec/hostinfo/hostinfo-libvirt"]
                .map(PathBuf::from)
        );
    }
}
