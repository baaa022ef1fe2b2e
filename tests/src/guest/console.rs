//! The guest's first serial port: commands go in, their output and status come back. The other end
//! is `init.sh`.

use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// The line that the guest's first process prints after booting.
const READY: &[u8] = b"\n@ready\n";

/// In raw mode, a terminal of the guest's kernel holds 4096 bytes and drops the rest.
const COMMAND_MAX: usize = 4000;

/// The result of a command in the guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Its exit status; 128 plus the signal if a signal ended it.
    pub status: i32,
    /// Its stdout.
    pub stdout: String,
    /// Its stderr.
    pub stderr: String,
}

/// The harness's end of the console.
#[derive(Debug)]
pub(crate) struct Console {
    stream: UnixStream,
    /// Everything that the guest has sent.
    said: Vec<u8>,
    /// How much of that has been processed.
    taken: usize,
    commands: u32,
    /// The longest command that reaches the shell, in bytes.
    longest: usize,
}

impl Console {
    pub(crate) fn new(stream: UnixStream) -> Self {
        Self { stream, said: Vec::new(), taken: 0, commands: 0, longest: COMMAND_MAX }
    }

    /// A console that is not a terminal and loses nothing: a virtio port all the way to the shell.
    pub(crate) fn lossless(stream: UnixStream) -> Self {
        Self { longest: usize::MAX, ..Self::new(stream) }
    }

    /// Everything that the guest has sent.
    pub(crate) fn said(&self) -> String {
        String::from_utf8_lossy(&self.said).into_owned()
    }

    /// Waits until the guest has booted, for the first time or again.
    pub(crate) fn wait_for_boot(&mut self, within: Duration) -> Result<()> {
        let deadline = Instant::now() + within;
        self.take_past(READY, deadline).context("the guest does not boot")
    }

    /// Sends text that is not a command.
    pub(crate) fn say(&mut self, text: &str) -> Result<()> {
        self.stream.write_all(text.as_bytes()).context("write to the console")
    }

    /// Runs a command in the guest's shell.
    pub(crate) fn run(&mut self, command: &str, within: Duration) -> Result<Output> {
        let deadline = Instant::now() + within;
        if command.len() > self.longest {
            bail!("a command of {} bytes does not fit the guest's terminal", command.len());
        }
        self.commands += 1;
        let number = self.commands;
        let order = format!("{number} {}\n{command}", command.len());
        self.stream.write_all(order.as_bytes()).context("write to the guest's console")?;
        self.take_past(format!("@{number} ").as_bytes(), deadline)?;
        let head = self.take_line(deadline)?;
        let figures: Vec<usize> = head.split(' ').map(str::parse).collect::<Result<_, _>>()?;
        let [status, stdout, stderr] = figures[..] else {
            bail!("the guest ends a command with {head:?}")
        };
        Ok(Output {
            status: i32::try_from(status)?,
            stdout: self.take(stdout, deadline)?,
            stderr: self.take(stderr, deadline)?,
        })
    }

    fn rest(&self) -> &[u8] {
        self.said.get(self.taken..).unwrap_or_default()
    }

    /// Skips everything up to and including `marker`.
    fn take_past(&mut self, marker: &[u8], deadline: Instant) -> Result<()> {
        loop {
            if let Some(at) = find(self.rest(), marker) {
                self.taken += at + marker.len();
                return Ok(());
            }
            self.read(deadline)?;
        }
    }

    fn take_line(&mut self, deadline: Instant) -> Result<String> {
        loop {
            if let Some(at) = find(self.rest(), b"\n") {
                let line = self.take(at, deadline)?;
                self.taken += 1;
                return Ok(line);
            }
            self.read(deadline)?;
        }
    }

    fn take(&mut self, length: usize, deadline: Instant) -> Result<String> {
        while self.rest().len() < length {
            self.read(deadline)?;
        }
        let text = self.rest().get(..length).unwrap_or_default();
        let text = String::from_utf8_lossy(text).into_owned();
        self.taken += length;
        Ok(text)
    }

    fn read(&mut self, deadline: Instant) -> Result<()> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            bail!("the guest is not done in time");
        }
        self.stream.set_read_timeout(Some(left))?;
        let mut chunk = [0; 4096];
        match self.stream.read(&mut chunk) {
            Ok(0) => bail!("the guest's console is closed"),
            Ok(length) => self.said.extend_from_slice(chunk.get(..length).unwrap_or_default()),
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(error) => return Err(error).context("read the guest's console"),
        }
        Ok(())
    }
}

fn find(text: &[u8], marker: &[u8]) -> Option<usize> {
    text.windows(marker.len()).position(|window| window == marker)
}
