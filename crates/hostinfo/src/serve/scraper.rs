//! An HTTP client of the broker: one request, one answer.

use std::time::Duration;

use hostinfo_wire::http::{self, Asked, Hosts, Wanted};
use hostinfo_wire::{Reply, Request};

use crate::serve::answer::from_snapshot;
use crate::serve::client::Source;
use crate::serve::connection::{Connection, Over};
use crate::serve::limits::{HOLD, SCRAPE_MAX};
use crate::serve::snapshot::Snapshot;

/// Its times come from [`clock`](super::clock).
pub(crate) struct Scraper {
    pub(crate) connection: Connection,
    /// At most [`REQUEST_MAX`](http::REQUEST_MAX) bytes, plus a chunk.
    request: Vec<u8>,
    state: State,
    since: Duration,
}

/// Its progress.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Reading,
    /// It is waiting for the host, since this time.
    Waiting(Wanted, Duration),
    Answered,
}

impl Scraper {
    pub(crate) fn new(connection: Connection, now: Duration) -> Self {
        Self { connection, request: Vec::new(), state: State::Reading, since: now }
    }

    /// Whether its request is incomplete.
    pub(crate) fn is_reading(&self) -> bool {
        self.state == State::Reading
    }

    /// Whether it is waiting for the host.
    pub(crate) fn is_waiting(&self) -> bool {
        matches!(self.state, State::Waiting(..))
    }

    /// When it needs attention, whatever it does.
    pub(crate) fn deadline(&self) -> Duration {
        match self.state {
            State::Waiting(_, since) => since + HOLD,
            State::Reading | State::Answered => self.since + SCRAPE_MAX,
        }
    }

    /// Reads what has arrived.
    ///
    /// # Errors
    /// [`Over`].
    pub(crate) fn read(&mut self, now: Duration) -> Result<(), Over> {
        let chunk = self.connection.read(now)?;
        self.request.extend_from_slice(&chunk);
        Ok(())
    }

    /// Answers if that is possible now.
    ///
    /// # Errors
    /// [`Over`], also if it has its answer, or took too long.
    pub(crate) fn turn(
        &mut self,
        source: Source<'_>,
        reply: &mut Reply,
        now: Duration,
    ) -> Result<(), Over> {
        self.connection.flush(now)?;
        if self.state == State::Reading {
            match http::parse(&self.request, Hosts::Local) {
                Asked::NotYet if self.connection.has_ended() => return Err(Over),
                Asked::NotYet => {}
                Asked::Malformed => {
                    self.send(&http::malformed("this is not an HTTP/1.1 request"), now)?;
                }
                Asked::Metrics(wanted) => self.state = State::Waiting(wanted, now),
                Asked::Answered(answer) => self.send(&answer, now)?,
            }
        }
        if let State::Waiting(wanted, since) = self.state {
            match source.fresh {
                Some(snapshot) => self.send(&metrics(wanted, snapshot, reply, now), now)?,
                None if source.is_over(since, now) => {
                    self.send(&http::unavailable(wanted, &source.not_yet.to_string()), now)?;
                }
                None => {}
            }
        }
        let is_late = now >= self.since + SCRAPE_MAX;
        let is_done = self.state == State::Answered && self.connection.unsent() == 0;
        if is_late || is_done { Err(Over) } else { Ok(()) }
    }

    fn send(&mut self, answer: &[u8], now: Duration) -> Result<(), Over> {
        self.state = State::Answered;
        self.connection.send(answer, now)
    }
}

/// All of the host's values, in the format that a scraper wants.
fn metrics(wanted: Wanted, snapshot: &Snapshot, reply: &mut Reply, now: Duration) -> Vec<u8> {
    const CODE: usize = "200-".len();
    reply.clear();
    if let Ok(request) = Request::parse(b"metrics") {
        from_snapshot(request, snapshot, now, reply);
    }
    let lines = String::from_utf8_lossy(reply.end());
    let text: String =
        lines.lines().filter_map(|line| line.get(CODE..)).flat_map(|line| [line, "\n"]).collect();
    if !text.ends_with("# EOF\n") {
        return http::unavailable(wanted, text.trim_end());
    }
    http::metrics(wanted, &text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::not_yet::NotYet;
    use crate::reply::Line;
    use hostinfo_wire::Code;
    use std::io::{Read as _, Write as _};
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;
    use std::rc::Rc;

    const NOW: Duration = Duration::from_secs(1000);

    fn snapshot(code: Code, text: &str) -> Snapshot {
        Snapshot::new(NOW, &[Line { code, text: text.to_owned() }], Rc::default())
    }

    /// The answer to a request that arrives in pieces, from those values, after `late`.
    fn ask(pieces: &[&str], fresh: Option<&Snapshot>, late: Duration) -> String {
        let (mut end, stream) = UnixStream::pair().unwrap();
        stream.set_nonblocking(true).unwrap();
        let mut scraper = Scraper::new(Connection::new(OwnedFd::from(stream).into()), NOW);
        let source = Source { fresh, not_yet: &NotYet::Silent };
        for piece in pieces {
            end.write_all(piece.as_bytes()).unwrap();
            scraper.read(NOW).unwrap();
            let _ = scraper.turn(source, &mut Reply::new(), NOW);
        }
        let _ = scraper.turn(source, &mut Reply::new(), NOW + late);
        drop(scraper);
        let mut answer = String::new();
        end.read_to_string(&mut answer).unwrap();
        answer
    }

    const GET: [&str; 2] = ["GET /metrics HT", "TP/1.1\r\nHost: localhost\r\n\r\n"];

    #[test]
    fn a_scraper_gets_what_the_host_told_and_the_end() {
        let told = snapshot(Code::Done, "loadavg.1=0.42");
        let answer = ask(&GET, Some(&told), Duration::ZERO);
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("text/plain") && answer.ends_with("hostinfo_loadavg_1 0.42\n"));
    }

    #[test]
    fn a_scraper_that_waits_in_vain_is_told_so_and_so_is_one_that_may_not_ask() {
        assert_eq!(ask(&GET, None, HOLD / 2), "");
        let answer = ask(&GET, None, HOLD);
        assert!(
            answer.starts_with("HTTP/1.1 503 ")
                && answer.ends_with("\nthe host has not answered\n")
        );
        let blocked = snapshot(Code::NotPermitted, hostinfo_wire::reply::BLOCKED);
        let answer = ask(&GET, Some(&blocked), Duration::ZERO);
        assert!(
            answer.starts_with("HTTP/1.1 503 ") && answer.ends_with("this guest may not ask\n")
        );
    }

    #[test]
    fn half_a_request_is_not_waited_for_forever() {
        assert_eq!(ask(&GET[..1], None, SCRAPE_MAX), "");
    }
}
