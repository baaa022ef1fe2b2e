//! Conversations with made-up hosts, by a clock that only advances when somebody waits.

mod disturbed;
mod footing;
mod replies;

use super::*;
use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;

const TIMEOUT: Duration = Duration::from_secs(5);

/// A port with `host` at its other end: it receives what was written, and returns what can be read.
struct Fake<H> {
    /// Shared, so that it can be read after the port is gone.
    clock: Rc<Cell<Instant>>,
    host: H,
    incoming: VecDeque<u8>,
    /// The most bytes per read, and the time that a read takes.
    pace: (usize, Duration),
    connected: bool,
    shared: bool,
    /// The programs that the next look sees at the port.
    others: Others,
}

impl<H: FnMut(&str) -> Vec<u8>> Fake<H> {
    fn new(host: H) -> Self {
        let clock = Rc::new(Cell::new(Instant::now()));
        let pace = (usize::MAX, Duration::from_millis(1));
        let incoming = VecDeque::new();
        let (connected, shared, others) = (true, true, Others::default());
        Self { clock, host, incoming, pace, connected, shared, others }
    }

    fn with(mut self, before: &[u8]) -> Self {
        self.incoming.extend(before);
        self
    }

    fn establish(self) -> Result<Link<Self>, Broken> {
        let mut count = 0;
        Link::establish(self, TIMEOUT, move || {
            count += 1;
            format!("token{count}")
        })
    }
}

impl<H: FnMut(&str) -> Vec<u8>> Port for Fake<H> {
    fn read(&mut self, buffer: &mut [u8], until: Instant) -> io::Result<usize> {
        if !self.connected {
            return Err(ErrorKind::NotConnected.into());
        }
        if self.incoming.is_empty() {
            self.clock.set(until);
            return Err(ErrorKind::TimedOut.into());
        }
        self.sleep(self.pace.1);
        let length = buffer.len().min(self.pace.0).min(self.incoming.len());
        for (to, from) in buffer.iter_mut().zip(self.incoming.drain(..length)) {
            *to = from;
        }
        Ok(length)
    }

    fn write(&mut self, bytes: &[u8], _until: Instant) -> io::Result<()> {
        if !self.connected {
            return Err(ErrorKind::NotConnected.into());
        }
        let text = String::from_utf8_lossy(bytes).into_owned();
        self.incoming.extend((self.host)(&text));
        Ok(())
    }

    fn is_shared(&self) -> bool {
        self.shared
    }

    fn others(&mut self) -> Others {
        std::mem::take(&mut self.others)
    }

    fn sleep(&mut self, time: Duration) {
        self.clock.set(self.clock.get() + time);
    }

    fn now(&self) -> Instant {
        self.clock.get()
    }
}

/// A host that answers pings, and hands every other line to `answer`.
fn host(mut answer: impl FnMut(&str) -> Vec<u8>) -> impl FnMut(&str) -> Vec<u8> {
    move |sent| {
        let lines = sent.lines().filter(|line| !line.is_empty() && *line != "\u{FFFD}");
        lines.flat_map(|line| pong_to(line).unwrap_or_else(|| answer(line))).collect()
    }
}

/// The answer to a ping.
fn pong_to(line: &str) -> Option<Vec<u8>> {
    line.strip_prefix("ping ").map(|token| format!("200 pong {token}\n").into_bytes())
}

/// A host that answers pings, and everything else with `reply`.
fn saying(reply: impl Into<Vec<u8>>) -> impl FnMut(&str) -> Vec<u8> {
    let reply = reply.into();
    host(move |_| reply.clone())
}

fn question() -> Question {
    Question::get(&["*"])
}

fn texts(lines: &[Line]) -> Vec<&str> {
    lines.iter().map(|line| line.text.as_str()).collect()
}
