//! A conversation with the host over a port: synchronizing, a request, its reply.
//!
//! Nothing that comes in is believed because it looks right. A request is sent in one write between
//! two freshly made tokens. Its reply counts only if it is complete, is the only thing between the
//! answers to the two tokens, and fits the request. Otherwise something else reads or writes on the
//! same line, and the host is asked again.

use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use hostinfo_wire::Code;
use hostinfo_wire::frame::CANCEL;
use hostinfo_wire::limits::{READ_CHUNK, REPLY_MAX, WRITE_DEADLINE};
use hostinfo_wire::reply::{ASK_AGAIN, BLOCKED, ReplyLine};
use hostinfo_wire::text::is_printable;

use crate::broken::Broken;
use crate::others::Others;
use crate::port::Port;
use crate::question::Question;
use crate::reply::Line;

/// How long to wait for the first token. Each following one gets twice the time, so that a slow
/// host is not asked faster than it answers.
const FIRST_PATIENCE: Duration = Duration::from_millis(500);

/// The time between two checks of a port whose other end is closed: a daemon that is restarted is
/// back within a second.
const HUNG_UP_PAUSE: Duration = Duration::from_millis(100);

/// The pause before a disturbed request is sent again; it doubles up to the longest. A host answers
/// 20 lines a second, and one attempt has 4 of them.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(400);

/// How often the host must call a request malformed before it is believed: the request is
/// well-formed, so the first time it was more likely garbled on its way.
const REJECTIONS_MAX: u32 = 3;

/// A port on which host and guest understand each other.
pub(crate) struct Link<P> {
    port: P,
    /// Creates a word that nobody has sent before.
    token: Box<dyn FnMut() -> String>,
    /// Bytes read but not yet processed: at most [`READ_CHUNK`].
    pending: Vec<u8>,
    /// The incomplete line: at most [`REPLY_MAX`] + [`READ_CHUNK`] bytes.
    line: Vec<u8>,
    /// Which other programs were seen at the port.
    others: Others,
    was_disturbed: bool,
    has_heard: bool,
    /// What the host said first, in place of the answer to a token.
    refusal: Option<&'static str>,
}

impl<P: Port> Link<P> {
    /// Synchronizes with the host, however dirty the line is, and gives up after `timeout`.
    ///
    /// # Errors
    /// [`Broken`]: no host answered.
    pub(crate) fn establish(
        port: P,
        timeout: Duration,
        token: impl FnMut() -> String + 'static,
    ) -> Result<Self, Broken> {
        let mut link = Self {
            port,
            token: Box::new(token),
            pending: Vec::new(),
            line: Vec::new(),
            others: Others::default(),
            was_disturbed: false,
            has_heard: false,
            refusal: None,
        };
        link.find_footing(timeout)?;
        Ok(link)
    }

    /// Whether a request had to be sent again because something else reads or writes on the line.
    pub(crate) fn was_disturbed(&self) -> bool {
        self.was_disturbed
    }

    /// Keeps others from the port, as far as the system permits.
    pub(crate) fn hold(&mut self) {
        self.port.hold();
    }

    /// A copy of the port's descriptor: see [`Port::descriptor`].
    #[cfg(unix)]
    pub(crate) fn descriptor(&self) -> Option<std::os::fd::OwnedFd> {
        self.port.descriptor()
    }

    /// Which other programs were seen at the port since a request was first disturbed.
    pub(crate) fn others(&self) -> &Others {
        &self.others
    }

    /// Asks, and again if the reply was disturbed, for `timeout`; the host may be silent for as
    /// long. The reply is complete, fits the request, and has no 400.
    ///
    /// # Errors
    /// [`Broken`]: there is no such reply.
    pub(crate) fn ask(
        &mut self,
        question: &Question,
        timeout: Duration,
    ) -> Result<Vec<Line>, Broken> {
        let deadline = self.port.now() + timeout;
        let (mut pause, mut rejections) = (FIRST_PAUSE, 0);
        loop {
            let why = match self.exchange(question, timeout) {
                Err(Broken::NotUnderstood(_)) if rejections + 1 < REJECTIONS_MAX => {
                    rejections += 1;
                    Broken::Disturbed(timeout)
                }
                Err(why @ (Broken::Disturbed(_) | Broken::Stalled | Broken::Silent(_))) => why,
                done => return done,
            };
            self.was_disturbed = true;
            let seen = self.port.others();
            self.others.add(seen);
            let left = deadline.saturating_duration_since(self.port.now());
            if left <= pause {
                return Err(why);
            }
            self.port.sleep(pause);
            pause = (2 * pause).min(LONGEST_PAUSE);
            match self.find_footing(left) {
                Err(Broken::Silent(_) | Broken::Strange) => return Err(why),
                found => found?,
            }
        }
    }

    /// Sends tokens until one comes back.
    fn find_footing(&mut self, timeout: Duration) -> Result<(), Broken> {
        let deadline = self.port.now() + timeout;
        let mut patience = FIRST_PATIENCE;
        let (mut connected, mut heard) = (false, false);
        loop {
            let until = deadline.min(self.port.now() + patience);
            let called = self.call(until, &mut heard);
            if let (Err(_), Some(why)) = (&called, self.refusal.take()) {
                return Err(Broken::Refused(why));
            }
            match called {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::TimedOut => connected = true,
                Err(error) if error.kind() == ErrorKind::NotConnected && !self.port.is_shared() => {
                    return Err(Broken::HungUp);
                }
                Err(error) if error.kind() == ErrorKind::NotConnected => {
                    self.port.sleep(HUNG_UP_PAUSE);
                }
                Err(error) => return Err(Broken::Io(error)),
            }
            if self.port.now() >= deadline {
                return Err(match (heard, connected) {
                    (true, _) => Broken::Strange,
                    (false, true) => Broken::Silent(timeout),
                    (false, false) => Broken::NotConnected,
                });
            }
            patience *= 2;
        }
    }

    /// Sends one token and skips everything until it comes back. Older tokens are noise like
    /// everything else: their answers came before this one's, or never will.
    fn call(&mut self, until: Instant, heard: &mut bool) -> io::Result<()> {
        let token = (self.token)();
        self.port.write(&on_a_new_line(&format!("ping {token}\n")), until)?;
        self.skip_to(&[&pong(&token)], until, heard).map(drop)
    }

    /// Skips input up to and including the line of one of the `pongs`; returns which one. Noise
    /// without a line end may precede it.
    fn skip_to(&mut self, pongs: &[&str], until: Instant, heard: &mut bool) -> io::Result<usize> {
        loop {
            while let Some(line) = self.take_line() {
                let is_at_end = |pong: &&str| without_cr(&line).ends_with(pong.as_bytes());
                if let Some(which) = pongs.iter().position(is_at_end) {
                    return Ok(which);
                }
                if !std::mem::replace(&mut self.has_heard, true) && !self.port.is_shared() {
                    self.refusal = refusal(&line);
                }
            }
            if self.line.len() > READ_CHUNK {
                self.line.drain(..READ_CHUNK - PONG_MAX);
            }
            // Check before a read that may not have to wait: this is where endless noise stops.
            if self.port.now() >= until {
                return Err(ErrorKind::TimedOut.into());
            }
            self.fill(until)?;
            *heard = true;
        }
    }

    /// Sends the request between two tokens, and reads what comes between their answers. The host
    /// may be silent for `timeout` while it works out its reply, and for half of that before and
    /// within the reply, which leaves time to ask again.
    fn exchange(&mut self, question: &Question, timeout: Duration) -> Result<Vec<Line>, Broken> {
        let (before, behind) = ((self.token)(), (self.token)());
        let start = self.port.now();
        // By then the host has given up as well.
        let end = start + WRITE_DEADLINE.max(timeout);
        let block = on_a_new_line(&format!("ping {before}\n{question}\nping {behind}\n"));
        let (before, behind) = (pong(&before), pong(&behind));
        let (until, mut heard) = (start + timeout / 2, false);
        let first = match self.port.write(&block, until) {
            Ok(()) => self.skip_to(&[&before, &behind], until, &mut heard),
            Err(error) => Err(error),
        };
        match first {
            Ok(0) => {}
            Ok(_) => return Err(Broken::Disturbed(timeout)),
            Err(error) if heard => return Err(broken(error, Broken::Disturbed(timeout))),
            Err(error) => return Err(broken(error, Broken::Silent(timeout))),
        }
        let (mut lines, mut length, mut is_whole) = (Vec::new(), 0, false);
        loop {
            while let Some(line) = self.take_line() {
                let line = without_cr(&line);
                if line == behind.as_bytes() {
                    return self.judged(question, lines, is_whole, timeout);
                }
                length += line.len() + 1;
                if length > REPLY_MAX {
                    return Err(Broken::TooLong);
                }
                let parsed = ReplyLine::parse(line)
                    .filter(|line| !is_whole && line.text.chars().all(is_printable))
                    .ok_or(Broken::Disturbed(timeout))?;
                is_whole = parsed.last;
                lines.push(Line { code: parsed.code, text: parsed.text.to_owned() });
            }
            if length + self.line.len() > REPLY_MAX {
                return Err(Broken::TooLong);
            }
            let now = self.port.now();
            if now >= end {
                return Err(Broken::Stalled);
            }
            let has_begun = length > 0 || !self.line.is_empty();
            let patience = if has_begun { timeout / 2 } else { timeout };
            self.fill(end.min(now + patience)).map_err(|error| {
                let silence = if has_begun { Broken::Stalled } else { Broken::Silent(timeout) };
                broken(error, silence)
            })?;
        }
    }

    /// The lines between the answers to the two tokens, if they can be believed.
    fn judged(
        &mut self,
        question: &Question,
        lines: Vec<Line>,
        is_whole: bool,
        timeout: Duration,
    ) -> Result<Vec<Line>, Broken> {
        match lines.as_slice() {
            [Line { code: Code::NotARequest, text }] if is_whole => {
                Err(Broken::NotUnderstood(text.clone()))
            }
            // Another reader may have taken part of it.
            all if is_whole && question.is_answered_by(all) && !self.port.others().read() => {
                Ok(lines)
            }
            _ => Err(Broken::Disturbed(timeout)),
        }
    }

    /// Reads once, after everything read before has been processed.
    fn fill(&mut self, until: Instant) -> io::Result<()> {
        let mut chunk = [0; READ_CHUNK];
        let length = self.port.read(&mut chunk, until)?;
        self.pending.extend_from_slice(chunk.get(..length).unwrap_or_default());
        Ok(())
    }

    /// The next complete line, without its LF.
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

/// The longest answer to a token, with room to spare.
const PONG_MAX: usize = 128;

/// Lines preceded by a byte that discards a line that something else has begun.
fn on_a_new_line(lines: &str) -> Vec<u8> {
    let mut bytes = vec![CANCEL, b'\n'];
    bytes.extend(lines.bytes());
    bytes
}

/// The answer to a token.
fn pong(token: &str) -> String {
    format!("{} pong {token}", Code::Done)
}

/// What a host says to a connection that it does not serve.
fn refusal(line: &[u8]) -> Option<&'static str> {
    let line = ReplyLine::parse(line).filter(|line| line.last)?;
    let of = |code, text| (line.code == code && line.text == text).then_some(text);
    of(Code::NotPermitted, BLOCKED).or_else(|| of(Code::Unavailable, ASK_AGAIN))
}

fn without_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Why nothing more was read or written, if it was not a `silence`.
fn broken(error: io::Error, silence: Broken) -> Broken {
    match error.kind() {
        ErrorKind::TimedOut => silence,
        ErrorKind::NotConnected => Broken::HungUp,
        _ => Broken::Io(error),
    }
}

#[cfg(test)]
mod tests;
