//! One turn of one guest: what has come is answered, as far as its bounds and its reading allow.

pub(crate) mod seen;

use std::time::Instant;

use hostinfo_answer::{Engine, Given, Pending, When};
use hostinfo_control::Event;
use hostinfo_wire::limits::{NONSENSE_COST, READ_CHUNK, WRITE_DEADLINE};
use hostinfo_wire::{Frame, Reply};

use crate::guest::Guest;
use crate::libvirt::Libvirt;
use crate::metrics::tally::Tally;
use crate::port::connection::Connection;
use crate::settings::flow::Flow;
use crate::stream::Closed;

/// What all guests share: nothing in it is one guest's beyond its turn.
pub(crate) struct Desk {
    engine: Engine<Libvirt>,
    flow: Flow,
    reply: Reply,
    buffer: Box<[u8]>,
    /// What became of all lines.
    pub(crate) tally: Tally,
    /// Somebody watches what guests ask.
    pub(crate) is_watched: bool,
    /// The line that was answered last, for who watches.
    seen: Option<Event>,
}

/// When a guest has its next turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// When more has come.
    WhenRead,
    /// When there is room for the rest of a reply, and at the latest then it is over.
    WhenWritten(Instant),
    /// At that time: it has used up its turn, or what it may send, or its values are there then
    /// at the latest.
    At(Instant),
}

impl Desk {
    /// Bounds guests by `flow`.
    pub(crate) fn new(engine: Engine<Libvirt>, flow: Flow) -> Self {
        Self {
            engine,
            flow,
            reply: Reply::new(),
            buffer: vec![0; READ_CHUNK].into(),
            tally: Tally::default(),
            is_watched: false,
            seen: None,
        }
    }

    /// Takes over other bounds.
    pub(crate) fn set_flow(&mut self, flow: Flow) {
        self.flow = flow;
    }

    /// What answers.
    pub(crate) fn engine(&mut self) -> &mut Engine<Libvirt> {
        &mut self.engine
    }

    /// What was answered in the last turn, where somebody watches.
    pub(crate) fn take_seen(&mut self) -> Option<Event> {
        self.seen.take()
    }

    /// What libvirt knows.
    pub(crate) fn libvirt(&mut self) -> &mut Libvirt {
        self.engine.libvirt_mut()
    }

    /// What the administrator gives beside the host's figures.
    pub(crate) fn given(&mut self) -> &mut Given {
        self.engine.given_mut()
    }

    /// vhostmd's document for a guest, as it is now.
    ///
    /// # Errors
    /// Where some of it is on its way.
    pub(crate) fn document(&mut self, guest: &mut Guest, when: When) -> Result<String, Pending> {
        self.engine.document(&guest.who, &mut guest.observed, when)
    }

    /// Takes the sample of a guest that its watch is due for.
    pub(crate) fn watch(&mut self, guest: &mut Guest, now: Instant) {
        self.engine.watch(&guest.who, &mut guest.observed, now);
    }

    /// Gives a guest its turn: at most one chunk is read and one line answered, so that no other
    /// waits longer than that takes.
    ///
    /// # Errors
    /// [`Closed`].
    pub(crate) fn serve(
        &mut self,
        connection: &mut Connection,
        guest: &mut Guest,
        now: Instant,
    ) -> Result<Next, Closed> {
        if let Some(since) = connection.stream.flush()? {
            return Ok(Next::WhenWritten(since + WRITE_DEADLINE));
        }
        let held = std::mem::take(&mut connection.held);
        if !held.is_empty() {
            return self.answer(&held, connection, guest, now);
        }
        let bytes = self.flow.bytes();
        let wait = guest.bytes.wait(CHUNK, bytes, now);
        if !wait.is_zero() {
            return Ok(Next::At(now + wait));
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        let result = connection.stream.read(&mut buffer).and_then(|input| {
            guest.bytes.take(u32::try_from(input.len()).unwrap_or(CHUNK), bytes, now);
            self.tally.received += input.len() as u64;
            self.answer(input, connection, guest, now)
        });
        self.buffer = buffer;
        result
    }

    fn answer(
        &mut self,
        mut input: &[u8],
        connection: &mut Connection,
        guest: &mut Guest,
        now: Instant,
    ) -> Result<Next, Closed> {
        let lines = self.flow.lines();
        while !input.is_empty() {
            let wait = guest.lines.wait(1, lines, now);
            if !wait.is_zero() {
                connection.hold(input);
                return Ok(Next::At(now + wait));
            }
            let Some(frame) = connection.framer.next(&mut input) else { break };
            let when = When::of(connection.pending.take(), now);
            let (protocol, reply) = (&mut connection.protocol, &mut self.reply);
            let (who, observed) = (&mut guest.who, &mut guest.observed);
            let answered = self.engine.answer(&frame, protocol, who, observed, when, reply);
            if let Err(pending) = answered {
                let held = with_rest(&frame, input);
                connection.hold(&held);
                return Ok(Next::At(connection.pending.insert(pending).until));
            }
            let length = self.reply.end().len();
            let Some(code) = self.reply.result() else {
                guest.bytes.take(NONSENSE_COST, self.flow.bytes(), now);
                guest.record.counts.dropped += 1;
                self.tally.counts.dropped += 1;
                continue;
            };
            guest.lines.take(1, lines, now);
            let line = match frame {
                Frame::Line(line) => line,
                Frame::TooLong => &[],
            };
            let took = now.elapsed();
            guest.record.reply(line, code, now);
            self.tally.reply(code, length, took);
            if self.is_watched {
                self.seen = Some(seen::event(guest, line, code, self.reply.end(), took));
            }
            if let (Frame::Line(asked), denied @ 1..) = (&frame, self.reply.denied()) {
                guest.log_denied(asked, denied, now);
            }
            let unsent_since = connection.stream.send(self.reply.end(), now)?;
            connection.hold(input);
            if let Some(since) = unsent_since {
                return Ok(Next::WhenWritten(since + WRITE_DEADLINE));
            }
            if !input.is_empty() {
                // A burst of queries for everything is not answered at one go: others wait.
                return Ok(Next::At(now));
            }
        }
        Ok(Next::WhenRead)
    }
}

/// A line with what came behind it, as both came.
fn with_rest(frame: &Frame<'_>, rest: &[u8]) -> Vec<u8> {
    match frame {
        Frame::Line(line) => [line, b"\n".as_slice(), rest].concat(),
        Frame::TooLong => rest.to_vec(),
    }
}

#[allow(clippy::cast_possible_truncation, reason = "READ_CHUNK is 4,096")]
const CHUNK: u32 = READ_CHUNK as u32;

#[cfg(test)]
mod tests;
