//! A QEMU without a guest: its end of a socket in the daemon's folder.

use std::io::{BufRead as _, BufReader, ErrorKind, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use hostinfo_wire::reply::ReplyLine;

use crate::deadline::{PATIENCE, wait_for};

/// A socket that waits for the daemon.
#[derive(Debug)]
pub struct FakeQemu {
    listener: UnixListener,
}

impl FakeQemu {
    /// Creates the socket at `path` and listens.
    ///
    /// # Errors
    /// The path exists already.
    pub fn listen(path: &Path) -> Result<Self> {
        let listener =
            UnixListener::bind(path).with_context(|| format!("bind {}", path.display()))?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener })
    }

    /// Waits until the daemon has connected.
    ///
    /// # Errors
    /// It does not.
    pub fn accept(&self) -> Result<FakeGuest> {
        let stream = wait_for("the daemon to connect", PATIENCE, || self.try_accept())?;
        FakeGuest::over(stream, PATIENCE)
    }

    /// Whether nobody connects for that long.
    ///
    /// # Errors
    /// The socket is broken.
    pub fn stays_alone(&self, time: Duration) -> Result<bool> {
        std::thread::sleep(time);
        Ok(self.try_accept()?.is_none())
    }

    fn try_accept(&self) -> Result<Option<UnixStream>> {
        match self.listener.accept() {
            Ok((stream, _)) => Ok(Some(stream)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error).context("accept"),
        }
    }
}

/// The guest behind a [`FakeQemu`]: bytes to and from the daemon.
#[derive(Debug)]
pub struct FakeGuest {
    reader: BufReader<UnixStream>,
}

impl FakeGuest {
    /// Creates a socket at `path` and waits until the daemon has connected. The socket accepts no
    /// second connection.
    ///
    /// # Errors
    /// The path exists already, or nobody connects.
    pub fn join(path: &Path) -> Result<Self> {
        FakeQemu::listen(path)?.accept()
    }

    /// Connects to a socket that the daemon listens at, as a VMM does for its guest, once the daemon does.
    ///
    /// # Errors
    /// It does not listen.
    pub fn connect(path: &Path) -> Result<Self> {
        let stream =
            wait_for("the daemon to listen", PATIENCE, || Ok(UnixStream::connect(path).ok()))?;
        Self::over(stream, PATIENCE)
    }

    /// A guest on an existing connection.
    pub(crate) fn over(stream: UnixStream, patience: Duration) -> Result<Self> {
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        Ok(Self { reader: BufReader::new(stream) })
    }

    /// The connection itself.
    pub fn stream(&self) -> &UnixStream {
        self.reader.get_ref()
    }

    /// Sends bytes unchanged.
    ///
    /// # Errors
    /// The daemon does not accept them.
    pub fn send(&self, bytes: impl AsRef<[u8]>) -> Result<()> {
        self.stream().write_all(bytes.as_ref()).context("send to the daemon")
    }

    /// The next line from the daemon, without its line end.
    ///
    /// # Errors
    /// None arrives, or the connection ends.
    pub fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.reader.read_line(&mut line).context("read from the daemon")? == 0 {
            bail!("the daemon has hung up");
        }
        Ok(line.trim_end_matches('\n').to_owned())
    }

    /// The next complete reply, one string per line.
    ///
    /// # Errors
    /// None arrives, or it is not a reply.
    pub fn reply(&mut self) -> Result<Vec<String>> {
        let mut lines = Vec::new();
        loop {
            let line = self.line()?;
            let last = ReplyLine::parse(line.as_bytes())
                .with_context(|| format!("no line of a reply: {line:?}"))?
                .last;
            lines.push(line);
            if last {
                return Ok(lines);
            }
        }
    }

    /// Sends a line and reads its reply.
    ///
    /// # Errors
    /// As [`FakeGuest::send`] and [`FakeGuest::reply`].
    pub fn ask(&mut self, line: &str) -> Result<Vec<String>> {
        self.send(format!("{line}\n"))?;
        self.reply().with_context(|| format!("ask {line:?}"))
    }

    /// [`FakeGuest::ask`] for an answer of a single line.
    ///
    /// # Errors
    /// There is more than one line.
    pub fn ask_one(&mut self, line: &str) -> Result<String> {
        let mut lines = self.ask(line)?;
        match (lines.pop(), lines.is_empty()) {
            (Some(only), true) => Ok(only),
            _ => bail!("more than one line in answer to {line:?}"),
        }
    }

    /// The number of bytes left to read until the daemon closes the connection.
    ///
    /// # Errors
    /// It does not close it.
    pub fn drain(&mut self) -> Result<u64> {
        match std::io::copy(&mut self.reader, &mut std::io::sink()) {
            Ok(bytes) => Ok(bytes),
            // If a daemon closes the connection without having read our bytes, that resets it.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(0),
            Err(error) => Err(error).context("read from the daemon"),
        }
    }
}
