//! A conversation with the host over a port: finding a footing, a request, its reply.
//!
//! What comes in is noise until the host has sent back a token that was made a moment ago:
//! others' old answers, halves of lines, an echo. From then on it is the host's reply or an
//! error; nothing is guessed.

use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use hostinfo_wire::frame::CANCEL;
use hostinfo_wire::limits::{READ_CHUNK, REPLY_MAX, WRITE_DEADLINE};
use hostinfo_wire::reply::{Code, ReplyLine};

/// Bytes to and from the host, by a clock.
pub(crate) trait Port {
    /// Reads what is there, or waits for it.
    ///
    /// # Errors
    /// `TimedOut` when there was nothing by `until`; `NotConnected` where nobody is at the
    /// other end now.
    fn read(&mut self, buffer: &mut [u8], until: Instant) -> io::Result<usize>;

    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// As [`Port::read`]. Some of the bytes may have been written.
    fn write(&mut self, bytes: &[u8], until: Instant) -> io::Result<()>;

    /// Lets time pass.
    fn sleep(&mut self, time: Duration);

    /// The clock.
    fn now(&self) -> Instant;
}

/// Why a conversation ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    #[error("silent for {} s", .0.as_secs_f64())]
    Silent(Duration),
    #[error("something speaks there, but it is no hostinfo")]
    Strange,
    #[error("nobody is at the other end")]
    NotConnected,
    #[error("the host fell silent in the middle of its reply: ask again")]
    Stalled,
    #[error("the host hung up in the middle of its reply: ask again")]
    HungUp,
    #[error("the reply was damaged on its way: ask again, with nobody else on the port")]
    Damaged,
    #[error("the reply is longer than a host's can be")]
    TooLong,
    #[error("{0}")]
    Io(io::Error),
}

/// One line of a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// What became of it.
    pub(crate) code: Code,
    /// What stands behind the code; without control characters.
    pub(crate) text: String,
}

/// How long the first token is waited for. The next ones are given twice the time each, so
/// that a host that is slow is not asked faster than it answers.
const FIRST_PATIENCE: Duration = Duration::from_millis(500);

/// Between two looks at a port with nobody at its other end: a daemon that is restarted is
/// back within a second.
const HUNG_UP_PAUSE: Duration = Duration::from_millis(100);

/// A port on which host and guest understand each other.
pub(crate) struct Link<P> {
    port: P,
    /// Read, and not yet looked at: at most [`READ_CHUNK`] bytes.
    pending: Vec<u8>,
    /// The line that has begun: at most [`REPLY_MAX`] + [`READ_CHUNK`] bytes.
    line: Vec<u8>,
}

impl<P: Port> Link<P> {
    /// Finds a footing on the port, however dirty its line is, and gives up after `timeout`.
    ///
    /// # Errors
    /// [`Broken`]: no host answered.
    pub(crate) fn establish(
        port: P,
        timeout: Duration,
        mut token: impl FnMut() -> String,
    ) -> Result<Self, Broken> {
        let mut link = Self { port, pending: Vec::new(), line: Vec::new() };
        let deadline = link.port.now() + timeout;
        let mut patience = FIRST_PATIENCE;
        let (mut connected, mut heard) = (false, false);
        loop {
            let until = deadline.min(link.port.now() + patience);
            match link.call(&token(), until, &mut heard) {
                Ok(()) => return Ok(link),
                Err(error) if error.kind() == ErrorKind::TimedOut => connected = true,
                Err(error) if error.kind() == ErrorKind::NotConnected => {
                    link.port.sleep(HUNG_UP_PAUSE);
                }
                Err(error) => return Err(Broken::Io(error)),
            }
            if link.port.now() >= deadline {
                return Err(match (heard, connected) {
                    (true, _) => Broken::Strange,
                    (false, true) => Broken::Silent(timeout),
                    (false, false) => Broken::NotConnected,
                });
            }
            patience *= 2;
        }
    }

    /// Sends one token and skips what comes until it is back. Older tokens are noise like
    /// any other: their answers came before this one's, or never will.
    fn call(&mut self, token: &str, until: Instant, heard: &mut bool) -> io::Result<()> {
        let mut request = vec![CANCEL];
        request.extend(format!("\nping {token}\n").bytes());
        self.port.write(&request, until)?;
        // Noise without a line end may stand before the host's line.
        let pong = format!("{} pong {token}", Code::Done);
        loop {
            while let Some(line) = self.take_line() {
                let line = line.strip_suffix(b"\r").unwrap_or(&line);
                if line.ends_with(pong.as_bytes()) {
                    return Ok(());
                }
            }
            if self.line.len() > READ_CHUNK {
                self.line.drain(..READ_CHUNK - pong.len());
            }
            // Before a read that may not have to wait: noise without end ends here.
            if self.port.now() >= until {
                return Err(ErrorKind::TimedOut.into());
            }
            self.fill(until)?;
            *heard = true;
        }
    }

    /// Asks, and reads the reply to its last line. The host may be silent for `timeout`.
    ///
    /// # Errors
    /// [`Broken`]: there is no whole reply.
    pub(crate) fn ask(&mut self, request: &str, timeout: Duration) -> Result<Vec<Line>, Broken> {
        let start = self.port.now();
        // By then the host has given up, too.
        let end = start + WRITE_DEADLINE.max(timeout);
        self.port
            .write(format!("{request}\n").as_bytes(), start + timeout)
            .map_err(|error| broken(error, timeout, true))?;
        let mut lines = Vec::new();
        let mut length = 0;
        loop {
            while let Some(line) = self.take_line() {
                length += line.len() + 1;
                if length > REPLY_MAX {
                    return Err(Broken::TooLong);
                }
                let line = ReplyLine::parse(&line)
                    .filter(|line| !line.text.contains(char::is_control))
                    .ok_or(Broken::Damaged)?;
                lines.push(Line { code: line.code, text: line.text.to_owned() });
                if line.last {
                    return Ok(lines);
                }
            }
            if length + self.line.len() > REPLY_MAX {
                return Err(Broken::TooLong);
            }
            let now = self.port.now();
            if now >= end {
                return Err(Broken::Stalled);
            }
            self.fill(end.min(now + timeout))
                .map_err(|error| broken(error, timeout, length == 0 && self.line.is_empty()))?;
        }
    }

    /// Reads once, when all that was read before has been looked at.
    fn fill(&mut self, until: Instant) -> io::Result<()> {
        let mut chunk = [0; READ_CHUNK];
        let length = self.port.read(&mut chunk, until)?;
        self.pending.extend_from_slice(chunk.get(..length).unwrap_or_default());
        Ok(())
    }

    /// The next line that is there in full, without its LF.
    fn take_line(&mut self) -> Option<Vec<u8>> {
        let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') else {
            self.line.append(&mut self.pending);
            return None;
        };
        self.line.extend(self.pending.drain(..=end));
        self.line.pop();
        Some(std::mem::take(&mut self.line))
    }
}

fn broken(error: io::Error, timeout: Duration, at_start: bool) -> Broken {
    match error.kind() {
        ErrorKind::TimedOut if at_start => Broken::Silent(timeout),
        ErrorKind::TimedOut => Broken::Stalled,
        ErrorKind::NotConnected => Broken::HungUp,
        _ => Broken::Io(error),
    }
}

#[cfg(test)]
mod tests;
