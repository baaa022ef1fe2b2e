//! One turn of one guest: answers what the guest sent, within its bounds and as far as it reads the
//! replies.

pub(crate) mod event;

use std::time::{Duration, Instant};

use hostinfo_answer::{AdminValues, Conversation, Engine, Flow, Outcome, Pending, Turn, When};
use hostinfo_control::Event;
use hostinfo_wire::limits::{CALL_COST, READ_CHUNK, WRITE_DEADLINE};
use hostinfo_wire::{Code, Reply};

use crate::guest::Guest;
use crate::libvirt::Libvirt;
use crate::metrics::tally::Tally;
use crate::port::connection::{Connection, Phase};
use crate::stream::{Closed, Stream};

/// The most that a guest owes for connections that were accepted before it had a line: the lines that it gets in this
/// time. They are accepted one at a time, each when the guest would have a line.
const OWED_MAX: Duration = Duration::from_secs(60);

/// What all guests share. It holds nothing of a guest beyond that guest's turn.
pub(crate) struct Responder {
    engine: Engine<Libvirt>,
    flow: Flow,
    reply: Reply,
    buffer: Box<[u8]>,
    /// Counts of all lines, by outcome.
    pub(crate) tally: Tally,
    /// Whether a client watches guests' queries.
    pub(crate) keeps_events: bool,
    /// The last answered line, for watching clients.
    event: Option<Event>,
    /// Units of work done in turns.
    work: u32,
}

impl Responder {
    /// `flow` bounds the guests.
    pub(crate) fn new(engine: Engine<Libvirt>, flow: Flow) -> Self {
        Self {
            engine,
            flow,
            reply: Reply::new(),
            buffer: vec![0; READ_CHUNK].into(),
            tally: Tally::default(),
            keeps_events: false,
            event: None,
            work: 0,
        }
    }

    /// Sets other bounds.
    pub(crate) fn set_flow(&mut self, flow: Flow) {
        self.flow = flow;
    }

    /// Charges a guest for a new connection, which counts as one line. The guest may owe as many lines as it gets in the
    /// time `ahead`.
    ///
    /// # Errors
    /// The guest owes more, and is not charged: when it has a line again.
    pub(crate) fn charge_connection(
        &self,
        guest: &mut Guest,
        ahead: Duration,
        now: Instant,
    ) -> Result<(), Instant> {
        let lines = &mut guest.meter.lines;
        let wait = lines.wait(1, self.flow.lines, now);
        if wait > ahead {
            return Err(now + wait);
        }
        lines.take(1, self.flow.lines, now);
        Ok(())
    }

    /// Charges a guest for a connection that was accepted already, also where it has no line left. Returns when it has
    /// one again, if it has none now.
    pub(crate) fn charge_accepted(&self, guest: &mut Guest, now: Instant) -> Option<Instant> {
        // Whoever owes that much already is not charged, but waits.
        let _ = self.charge_connection(guest, OWED_MAX, now);
        let wait = guest.meter.lines.wait(1, self.flow.lines, now);
        (!wait.is_zero()).then(|| now + wait)
    }

    pub(crate) fn engine(&self) -> &Engine<Libvirt> {
        &self.engine
    }

    /// The engine, mutable.
    pub(crate) fn engine_mut(&mut self) -> &mut Engine<Libvirt> {
        &mut self.engine
    }

    /// The event of the last turn, if a client watches.
    pub(crate) fn take_event(&mut self) -> Option<Event> {
        self.event.take()
    }

    /// What libvirt knows.
    pub(crate) fn libvirt(&mut self) -> &mut Libvirt {
        self.engine.libvirt_mut()
    }

    /// What the administrator provides in addition to the host's figures.
    pub(crate) fn admin_values(&mut self) -> &mut AdminValues {
        self.engine.admin_values_mut()
    }

    /// vhostmd's current document for a guest.
    ///
    /// # Errors
    /// Some values are on their way.
    pub(crate) fn document(&mut self, guest: &mut Guest, when: When) -> Result<String, Pending> {
        self.engine.document(&guest.who, &mut guest.observed, when)
    }

    /// Reads some of what a preview or an explanation needs of a guest.
    ///
    /// # Errors
    /// There is more, to be read after others have had their turns.
    pub(crate) fn read_ahead(&mut self, guest: &mut Guest, when: When) -> Result<(), Pending> {
        self.engine.read_ahead(&guest.who, &mut guest.observed, when)
    }

    /// Takes the sample that a guest's watch is due for.
    ///
    /// # Errors
    /// Some of it still has to be read, after others have had their turns.
    pub(crate) fn watch(&mut self, guest: &mut Guest, now: Instant) -> Result<(), Pending> {
        self.engine.watch(&guest.who, &mut guest.observed, now)
    }

    /// Units of work done since the last call, in turns and for samples: see
    /// [`TURN_WORK`](hostinfo_wire::limits::TURN_WORK).
    pub(crate) fn take_work(&mut self) -> u32 {
        std::mem::take(&mut self.work).saturating_add(self.engine.take_work())
    }

    /// Gives a guest its turn: reads at most one chunk, answers at most one line, and begins
    /// nothing beyond its share of work. So no other guest waits longer than that takes. Returns
    /// the next phase of the connection.
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
        if stream.unsent() > 0 {
            // Over AF_VSOCK, a guest decides how few bytes there is room for.
            let wait = guest.meter.bytes.wait(CALL_COST, self.flow.bytes, now);
            if !wait.is_zero() {
                return Ok(Phase::Throttled(now + wait));
            }
            guest.meter.bytes.take(CALL_COST, self.flow.bytes, now);
        }
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
                let length = u32::try_from(input.len()).unwrap_or(CHUNK);
                guest.meter.bytes.take(length + CALL_COST, self.flow.bytes, now);
            }
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
        guest.record.dropped(dropped);
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
            // Others have their turns between the lines of a burst.
            None if has_more => Phase::Throttled(now),
            None => Phase::Reading,
        })
    }

    /// Counts a reply, and passes it to the audit log and to watching clients.
    fn record(&mut self, line: Option<&[u8]>, code: Code, guest: &mut Guest, now: Instant) {
        let asked = line.unwrap_or_default();
        let length = self.reply.end().len();
        let took = now.elapsed();
        guest.record.reply(asked, code, now);
        self.tally.reply(code, length, took);
        if self.keeps_events {
            self.event = Some(event::event(guest, asked, code, self.reply.end(), took));
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
