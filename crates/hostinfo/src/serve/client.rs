//! A client of the broker's socket: its lines, one after the other.

use std::time::Duration;

use hostinfo_wire::limits::NONSENSE_MAX;
use hostinfo_wire::{Code, Frame, Framer, Malformed, Reply, Request};

use crate::not_yet::NotYet;
use crate::serve::answer::{at_once, from_snapshot, nothing_yet};
use crate::serve::connection::{Connection, Over};
use crate::serve::limits::HOLD;
use crate::serve::snapshot::Snapshot;

/// Its times come from [`clock`](super::clock).
pub(crate) struct Client {
    pub(crate) connection: Connection,
    framer: Framer,
    /// Input that has not been processed, because a line before it is waiting.
    held: Vec<u8>,
    /// A line that is waiting for the host, and since when.
    waiting: Option<(Vec<u8>, Duration)>,
    /// Lines of nonsense in a row.
    nonsense: u32,
    /// When it last asked.
    pub(crate) asked: Duration,
}

/// What a line is answered from.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    /// The host's values, if they are fresh enough to send.
    pub(crate) fresh: Option<&'a Snapshot>,
    /// Why there are none, if there are none.
    pub(crate) not_yet: &'a NotYet,
}

impl Source<'_> {
    /// Whether a query that has waited since then gets no values any more: its time is over, or will be before the
    /// host may be asked.
    pub(crate) fn is_over(&self, since: Duration, now: Duration) -> bool {
        let until = since + HOLD;
        match self.not_yet {
            NotYet::TooSoon(wait) => now.saturating_add(*wait) > until,
            NotYet::Silent | NotYet::Gone(_) => now >= until,
        }
    }
}

impl Client {
    pub(crate) fn new(connection: Connection, now: Duration) -> Self {
        Self {
            connection,
            framer: Framer::new(),
            held: Vec::new(),
            waiting: None,
            nonsense: 0,
            asked: now,
        }
    }

    /// The deadline until which it waits for the host, if it does.
    pub(crate) fn waits_until(&self) -> Option<Duration> {
        self.waiting.as_ref().map(|(_, since)| *since + HOLD)
    }

    /// Whether more input should be read from it.
    pub(crate) fn wants_to_read(&self, now: Duration) -> bool {
        self.held.is_empty()
            && self.waiting.is_none()
            && !self.connection.has_ended()
            && self.connection.ready_at() <= now
    }

    /// When it needs attention, even if nothing arrives from it.
    pub(crate) fn alarm(&self, now: Duration) -> Option<Duration> {
        let ready_at = Some(self.connection.ready_at()).filter(|at| *at > now);
        [self.waits_until(), self.connection.deadline(), ready_at].into_iter().flatten().min()
    }

    /// Whether it is finished: its input has ended, and everything is answered and sent.
    pub(crate) fn is_done(&self) -> bool {
        self.waiting.is_none() && self.held.is_empty() && self.connection.is_done()
    }

    /// Reads what has arrived.
    ///
    /// # Errors
    /// [`Over`].
    pub(crate) fn read(&mut self, now: Duration) -> Result<(), Over> {
        if self.held.is_empty() {
            self.held = self.connection.read(now)?;
        }
        Ok(())
    }

    /// Answers whatever can be answered now.
    ///
    /// # Errors
    /// [`Over`].
    pub(crate) fn turn(
        &mut self,
        source: Source<'_>,
        reply: &mut Reply,
        now: Duration,
    ) -> Result<(), Over> {
        self.connection.flush(now)?;
        if let Some((line, since)) = self.waiting.take()
            && !self.answer(&line, since, source, reply, now)?
        {
            self.waiting = Some((line, since));
            return Ok(());
        }
        let held = std::mem::take(&mut self.held);
        let mut input = held.as_slice();
        // The next line must wait until the previous answer was read.
        while !input.is_empty()
            && self.connection.unsent() == 0
            && self.connection.ready_at() <= now
        {
            let line = match self.framer.next(&mut input) {
                None => break,
                Some(Frame::Line(line)) => Ok(line.to_vec()),
                Some(Frame::TooLong) => Err(Malformed::TooLong),
            };
            self.asked = now;
            self.connection.count_line(now);
            match line {
                Ok(line) => {
                    if !self.answer(&line, now, source, reply, now)? {
                        self.waiting = Some((line, now));
                        break;
                    }
                }
                Err(malformed) => {
                    reply.clear();
                    reply.line(Code::NotARequest, malformed);
                    self.send(reply, now)?;
                }
            }
        }
        self.held = input.to_vec();
        Ok(())
    }

    /// Whether the line, which has waited since then, got its answer; otherwise it waits.
    fn answer(
        &mut self,
        line: &[u8],
        since: Duration,
        source: Source<'_>,
        reply: &mut Reply,
        now: Duration,
    ) -> Result<bool, Over> {
        reply.clear();
        match Request::parse(line) {
            Err(malformed) => reply.line(Code::NotARequest, malformed),
            Ok(request) if at_once(request, reply) => {}
            Ok(request) => match source.fresh {
                Some(snapshot) => from_snapshot(request, snapshot, now, reply),
                None if source.is_over(since, now) => nothing_yet(request, source.not_yet, reply),
                None => return Ok(false),
            },
        }
        self.send(reply, now)?;
        Ok(true)
    }

    /// Sends the reply, or drops it if it is one nonsense reply too many.
    fn send(&mut self, reply: &mut Reply, now: Duration) -> Result<(), Over> {
        if !reply.is_nonsense() {
            self.nonsense = 0;
        } else if self.nonsense < NONSENSE_MAX {
            self.nonsense += 1;
        } else {
            return Ok(());
        }
        self.connection.send(reply.end(), now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::Line;
    use std::io::{Read as _, Write as _};
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;
    use std::rc::Rc;

    const NOW: Duration = Duration::from_secs(1000);

    struct Scene {
        end: UnixStream,
        client: Client,
        now: Duration,
        not_yet: NotYet,
    }

    impl Scene {
        fn new() -> Self {
            let (end, stream) = UnixStream::pair().unwrap();
            stream.set_nonblocking(true).unwrap();
            end.set_nonblocking(true).unwrap();
            let client = Client::new(Connection::new(OwnedFd::from(stream).into()), NOW);
            Self { end, client, now: NOW, not_yet: NotYet::Silent }
        }

        /// The answers to the lines, from those values.
        fn say(&mut self, lines: &str, fresh: Option<&Snapshot>) -> String {
            self.end.write_all(lines.as_bytes()).unwrap();
            self.turn(fresh)
        }

        fn turn(&mut self, fresh: Option<&Snapshot>) -> String {
            let not_yet = self.not_yet.clone();
            let source = Source { fresh, not_yet: &not_yet };
            self.client.read(self.now).unwrap();
            self.client.turn(source, &mut Reply::new(), self.now).unwrap();
            let mut answer = vec![0; 65_536];
            let length = self.end.read(&mut answer).unwrap_or(0);
            String::from_utf8(answer[..length].to_vec()).unwrap()
        }
    }

    fn snapshot() -> Snapshot {
        let value = Line { code: Code::Done, text: "x=1".to_owned() };
        Snapshot::new(NOW, &[value], Rc::default())
    }

    #[test]
    fn lines_are_answered_in_their_order_from_what_the_host_told() {
        let mut scene = Scene::new();
        let told = scene.say("ping a\nx\r\njson x\rversion\n", Some(&snapshot()));
        assert_eq!(told, "200 pong a\n200 x=1\n200 {\"x\":1}\n200 hostinfo/1\n");
    }

    #[test]
    fn a_query_waits_for_the_host_and_all_behind_it_with_it() {
        let mut scene = Scene::new();
        assert_eq!(scene.say("ping a\nx\nping b\n", None), "200 pong a\n");
        assert_eq!(scene.client.waits_until(), Some(NOW + HOLD));
        assert_eq!(scene.turn(None), "");
        assert_eq!(scene.turn(Some(&snapshot())), "200 x=1\n200 pong b\n");
        assert_eq!(scene.client.waits_until(), None);
    }

    #[test]
    fn a_query_that_has_waited_long_enough_is_told_why() {
        let mut scene = Scene::new();
        assert_eq!(scene.say("x y\n", None), "");
        scene.now += HOLD;
        let told = "503-x: the host has not answered\n503 y: the host has not answered\n";
        assert_eq!(scene.turn(None), told);
    }

    #[test]
    fn a_query_waits_for_a_host_that_may_be_asked_soon_and_learns_at_once_that_it_may_not() {
        let mut scene = Scene::new();
        scene.not_yet = NotYet::TooSoon(HOLD);
        assert_eq!(scene.say("x\n", None), "");
        assert_eq!(scene.turn(Some(&snapshot())), "200 x=1\n");
        scene.not_yet = NotYet::TooSoon(Duration::from_secs(34));
        let told = "503 x: too soon to ask the host: first answer in 34 s\n";
        assert_eq!(scene.say("x\n", None), told);
    }

    #[test]
    fn nonsense_is_dropped_after_as_much_of_it_as_a_host_answers() {
        let mut scene = Scene::new();
        let told = scene.say(&"no.such\n".repeat(20), Some(&snapshot()));
        assert_eq!(told.lines().count(), 5);
        assert_eq!(scene.say("ping\nno.such\n", Some(&snapshot())).lines().count(), 2);
        let long = "x".repeat(2000) + "\n";
        assert_eq!(scene.say(&long, None), "400 line too long\n");
    }

    #[test]
    fn a_client_that_asks_faster_than_a_host_reads_waits() {
        let mut scene = Scene::new();
        let told = scene.say(&"ping\n".repeat(100), None);
        assert_eq!(told.lines().count(), 40);
        assert!(!scene.client.wants_to_read(scene.now));
        assert_eq!(scene.client.alarm(scene.now), Some(NOW + Duration::from_millis(50)));
        scene.now += Duration::from_secs(1);
        assert_eq!(scene.turn(None).lines().count(), 20);
    }
}
