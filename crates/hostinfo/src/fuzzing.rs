//! The code that `fuzz/` feeds with bytes. None of it is in the program.
#![cfg(fuzzing)]
#![allow(dead_code, unused_imports, reason = "only what reads replies is looked at")]

mod args;
mod blame;
mod broken;
mod joined;
mod link;
mod others;
mod port;
mod question;
mod reply;
mod units;
mod verdict;
mod way;
mod views {
    pub(crate) mod dated;
    pub(crate) mod hosts;
    pub(crate) mod reply;
}

use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use link::Link;
use others::Others;
use port::Port;
use question::Question;

/// How long to wait for an answer, by the host's clock.
const TIMEOUT: Duration = Duration::from_secs(2);

/// A host that sends these bytes whatever it is asked. Once they run out, only its clock continues.
struct Host<'b> {
    bytes: &'b [u8],
    now: Instant,
}

impl Port for Host<'_> {
    fn read(&mut self, buffer: &mut [u8], until: Instant) -> io::Result<usize> {
        let (now, later) = self.bytes.split_at(self.bytes.len().min(buffer.len()));
        if now.is_empty() {
            self.now = self.now.max(until);
            return Err(ErrorKind::TimedOut.into());
        }
        buffer[..now.len()].copy_from_slice(now);
        self.bytes = later;
        Ok(now.len())
    }

    fn write(&mut self, _: &[u8], _: Instant) -> io::Result<()> {
        Ok(())
    }

    fn others(&mut self) -> Others {
        Others::default()
    }

    fn sleep(&mut self, time: Duration) {
        self.now += time;
    }

    fn now(&self) -> Instant {
        self.now
    }
}

/// Asks a host that sends these bytes, with `t` for every token. An answer that is believed must be
/// complete, fit the request, and be printable.
pub fn reply(bytes: &[u8]) {
    for question in [
        Question::get(&["loadavg"]),
        Question::json(&["loadavg"]),
        Question::list_all(),
        Question::version(),
    ] {
        let host = Host { bytes, now: Instant::now() };
        let Ok(mut link) = Link::establish(host, TIMEOUT, || "t".to_owned()) else { return };
        let Ok(lines) = link.ask(&question, TIMEOUT) else { continue };
        assert!(question.is_answered_by(&lines));
        for line in &lines {
            assert!(line.text.chars().all(hostinfo_wire::text::is_printable));
        }
        let _ = views::reply::Reply::of(&lines).number("loadavg.1");
    }
}
