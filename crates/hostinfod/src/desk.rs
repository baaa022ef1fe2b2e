//! One turn of one guest: what has come is answered, as far as its bounds and its reading allow.

pub(crate) mod seen;

use std::time::Instant;

use hostinfo_answer::{Conversation, Engine, Flow, Given, Outcome, Pending, Turn, When};
use hostinfo_control::Event;
use hostinfo_wire::limits::{READ_CHUNK, WRITE_DEADLINE};
use hostinfo_wire::{Code, Reply};

use crate::guest::Guest;
use crate::libvirt::Libvirt;
use crate::metrics::tally::Tally;
use crate::port::connection::{Connection, Phase};
use crate::stream::{Closed, Stream};

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
    /// Units of work that were done in turns.
    work: u32,
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
            work: 0,
        }
    }

    /// Takes over other bounds.
    pub(crate) fn set_flow(&mut self, flow: Flow) {
        self.flow = flow;
    }

    /// A guest has a connection made, which counts as a line: when it may, where that is not now.
    ///
    /// # Errors
    /// That time.
    pub(crate) fn charge_connection(&self, guest: &mut Guest, now: Instant) -> Result<(), Instant> {
        let lines = &mut guest.meter.lines;
        let wait = lines.wait(1, self.flow.lines, now);
        if !wait.is_zero() {
            return Err(now + wait);
        }
        lines.take(1, self.flow.lines, now);
        Ok(())
    }

    /// What answers.
    pub(crate) fn engine(&self) -> &Engine<Libvirt> {
        &self.engine
    }

    /// The same, to be asked or changed.
    pub(crate) fn engine_mut(&mut self) -> &mut Engine<Libvirt> {
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
    ///
    /// # Errors
    /// Where some of it is still to be read, when others had their turns.
    pub(crate) fn watch(&mut self, guest: &mut Guest, now: Instant) -> Result<(), Pending> {
        self.engine.watch(&guest.who, &mut guest.observed, now)
    }

    /// Units of work that were done since this was called last, in turns and in samples: see
    /// [`TURN_WORK`](hostinfo_wire::limits::TURN_WORK).
    pub(crate) fn take_work(&mut self) -> u32 {
        std::mem::take(&mut self.work).saturating_add(self.engine.take_work())
    }

    /// Gives a guest its turn: at most one chunk is read and one line answered, and no more is begun than
    /// its share of work, so that no other waits longer than that takes. What the connection does next.
    ///
    /// # Errors
    /// [`Closed`].
    pub(crate) fn serve(
        &mut self,
        connection: &mut Connection,
        guest: &mut Guest,
        now: Instant,
    ) -> Result<Phase, Closed> {
        let Connection { stream, conversation, heard, .. } = connection;
        if let Some(since) = stream.flush()? {
            return Ok(Phase::Writing(since + WRITE_DEADLINE));
        }
        if conversation.has_held() {
            return self.answer(&[], stream, conversation, guest, now);
        }
        let wait = guest.meter.bytes.wait(CHUNK, self.flow.bytes, now);
        if !wait.is_zero() {
            return Ok(Phase::Throttled(now + wait));
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        let result = stream.read(&mut buffer).and_then(|input| {
            if !input.is_empty() {
                *heard = now;
            }
            let length = u32::try_from(input.len()).unwrap_or(CHUNK);
            guest.meter.bytes.take(length, self.flow.bytes, now);
            self.tally.received += input.len() as u64;
            self.answer(input, stream, conversation, guest, now)
        });
        self.buffer = buffer;
        result
    }

    fn answer(
        &mut self,
        input: &[u8],
        stream: &mut Stream,
        conversation: &mut Conversation,
        guest: &mut Guest,
        now: Instant,
    ) -> Result<Phase, Closed> {
        let (engine, flow, asker) = (&mut self.engine, &self.flow, guest.asker());
        let turn = conversation.turn(input, engine, flow, asker, now, &mut self.reply);
        let Turn { dropped, work, outcome } = turn;
        self.work = self.work.saturating_add(work);
        guest.record.counts.dropped += dropped;
        self.tally.counts.dropped += dropped;
        let (line, code, has_more) = match outcome {
            Outcome::Read => return Ok(Phase::Reading),
            Outcome::Wait(until) => return Ok(Phase::Throttled(until)),
            Outcome::WaitForValue(until) => return Ok(Phase::WaitingForValue(until)),
            Outcome::Answered { line, code, has_more } => (line, code, has_more),
        };
        self.record(line, code, guest, now);
        Ok(match stream.send(self.reply.end(), now)? {
            Some(since) => Phase::Writing(since + WRITE_DEADLINE),
            // A burst of queries for everything is not answered at one go: others wait.
            None if has_more => Phase::Throttled(now),
            None => Phase::Reading,
        })
    }

    /// Counts a reply, and tells of it whom it concerns.
    fn record(&mut self, line: Option<&[u8]>, code: Code, guest: &mut Guest, now: Instant) {
        let asked = line.unwrap_or_default();
        let length = self.reply.end().len();
        let took = now.elapsed();
        guest.record.reply(asked, code, now);
        self.tally.reply(code, length, took);
        if self.is_watched {
            self.seen = Some(seen::event(guest, asked, code, self.reply.end(), took));
        }
        if let (Some(asked), denied @ 1..) = (line, self.reply.denied()) {
            guest.log_denied(asked, denied, now);
        }
    }
}

#[allow(clippy::cast_possible_truncation, reason = "READ_CHUNK is 4,096")]
const CHUNK: u32 = READ_CHUNK as u32;

#[cfg(test)]
mod tests;
