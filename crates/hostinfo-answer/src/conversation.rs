//! The unanswered input of one connection. It is processed in turns of bounded work, so that no
//! guest waits for another's lines.

use std::time::Instant;

use hostinfo_wire::limits::{LINE_MAX, NONSENSE_COST, READ_CHUNK, TURN_WORK};
use hostinfo_wire::{Code, Frame, Framer, Reply};

use crate::bucket::{Flow, Meter};
use crate::dialect::{Dialect, Protocol};
use crate::engine::Engine;
use crate::libvirt::Libvirt;
use crate::observed::Observed;
use crate::pending::{Pending, When};
use crate::requester::Requester;

/// The input of one connection. An idle one owns no memory besides the buffer of its last line.
#[derive(Debug)]
pub struct Conversation {
    pub(crate) protocol: Protocol,
    /// Holds a line that has arrived in part.
    pub(crate) framer: Framer,
    /// Input that has to wait.
    pub(crate) held: Option<Box<Held>>,
}

/// Input that has to wait.
#[derive(Debug)]
pub(crate) struct Held {
    /// At least one byte; at most one line whose answer was begun, and [`READ_CHUNK`] bytes, of which the last line may be
    /// incomplete.
    pub(crate) bytes: Vec<u8>,
    /// What the first line waits for, if its answer was begun.
    pub(crate) pending: Option<Pending>,
}

impl Held {
    /// These bytes, if there are any.
    pub(crate) fn new(bytes: Vec<u8>, pending: Option<Pending>) -> Option<Box<Self>> {
        (!bytes.is_empty()).then(|| Box::new(Self { bytes, pending }))
    }
}

/// The guest that sent the input, borrowed in parts.
pub struct Guest<'g> {
    /// Who it is.
    pub who: &'g mut Requester,
    /// What is observed of it.
    pub observed: &'g mut Observed,
    /// How much of its flow it has used.
    pub meter: &'g mut Meter,
}

/// The result of a turn.
#[derive(Debug)]
pub struct Turn<'c> {
    /// Nonsense lines that were dropped without a reply.
    pub dropped: u64,
    /// Units of work done: see [`TURN_WORK`].
    pub work: u32,
    /// What to do next.
    pub outcome: Outcome<'c>,
}

/// What to do after a turn.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome<'c> {
    /// Read more input.
    Read,
    /// Send the reply to a line.
    Answered {
        /// The line. `None` if it was too long, so that nothing of it was kept.
        line: Option<&'c [u8]>,
        /// The code that sums up the reply.
        code: Code,
        /// More input has arrived. It waits until other guests have had their turns.
        has_more: bool,
    },
    /// Continue at that time: the guest's flow, or the turns of other guests, come first.
    Wait(Instant),
    /// The held line waits for values, until that time at most.
    WaitForValue(Instant),
}

impl Conversation {
    /// A connection without input.
    pub fn new(dialect: Dialect) -> Self {
        let protocol = Protocol::new(dialect);
        Self { protocol, framer: Framer::new(), held: None }
    }

    /// Whether input is held. The next turn then takes no new input.
    pub fn has_held(&self) -> bool {
        self.held.is_some()
    }

    /// What the first held line waits for.
    pub fn pending(&self) -> Option<&Pending> {
        self.held.as_ref()?.pending.as_ref()
    }

    /// Takes one turn with the held input, or else with `input`, which is new and has at most
    /// [`READ_CHUNK`] bytes. Answers at most one line, into `reply`, and begins no other once
    /// [`TURN_WORK`] is done.
    pub fn turn<L: Libvirt>(
        &mut self,
        input: &[u8],
        engine: &mut Engine<L>,
        flow: &Flow,
        guest: Guest<'_>,
        now: Instant,
        reply: &mut Reply,
    ) -> Turn<'_> {
        debug_assert!(input.is_empty() || self.held.is_none());
        let Self { protocol, framer, held } = self;
        let (mut taken, mut pending) =
            held.take().map(|held| (held.bytes, held.pending)).unwrap_or_default();
        let mut rest = if taken.is_empty() { input } else { &taken };
        let Guest { who, observed, meter } = guest;
        let (mut dropped, mut work) = (0, 0);
        let outcome = loop {
            if rest.is_empty() {
                break Outcome::Read;
            }
            if work >= TURN_WORK {
                break Outcome::Wait(now);
            }
            let wait = meter.lines.wait(1, flow.lines, now);
            if !wait.is_zero() {
                break Outcome::Wait(now + wait);
            }
            let Some(frame) = framer.next(&mut rest) else { break Outcome::Read };
            let when = When::of(pending.take(), now);
            let answered = engine.answer(&frame, protocol, who, observed, when, reply);
            work += engine.take_work();
            if let Err(waits) = answered {
                let until = waits.until;
                *held = Held::new(with_rest(&frame, rest), Some(waits));
                break Outcome::WaitForValue(until);
            }
            let Some(code) = reply.result() else {
                meter.bytes.take(NONSENSE_COST, flow.bytes, now);
                dropped += 1;
                continue;
            };
            meter.lines.take(1, flow.lines, now);
            // vhostmd's clients send an empty line behind their request, and some programs CR LF: neither is
            // worth another turn.
            while let [b'\n' | b'\r', behind @ ..] = rest {
                rest = behind;
            }
            let has_more = !rest.is_empty();
            let is_kept = matches!(frame, Frame::Line(_));
            break Outcome::Answered { line: is_kept.then(|| framer.last_line()), code, has_more };
        };
        if held.is_none() {
            let left = rest.len();
            let bytes =
                if taken.is_empty() { rest.to_vec() } else { taken.split_off(taken.len() - left) };
            *held = Held::new(bytes, pending);
        }
        debug_assert!(
            held.as_ref().is_none_or(|held| held.bytes.len() <= LINE_MAX + 1 + READ_CHUNK)
        );
        Turn { dropped, work, outcome }
    }
}

/// A line and the input after it, as both arrived.
fn with_rest(frame: &Frame<'_>, rest: &[u8]) -> Vec<u8> {
    match frame {
        Frame::Line(line) => [line, b"\n".as_slice(), rest].concat(),
        Frame::TooLong => rest.to_vec(),
    }
}

#[cfg(test)]
mod tests;
