//! What was said on one connection and is not answered yet: gone on with in turns, each of bounded
//! work, so that no guest waits for another's lines.

use std::time::Instant;

use hostinfo_wire::limits::{LINE_MAX, NONSENSE_COST, READ_CHUNK, TURN_WORK};
use hostinfo_wire::{Code, Frame, Framer, Reply};

use crate::bucket::{Flow, Meter};
use crate::dialect::{Dialect, Protocol};
use crate::engine::Engine;
use crate::libvirt::Libvirt;
use crate::observed::Observed;
use crate::pending::{Pending, When};
use crate::who::Who;

/// One connection's. Idle, it holds nothing but itself.
#[derive(Debug)]
pub struct Conversation {
    protocol: Protocol,
    /// The line that has come in part.
    framer: Framer,
    /// Lines that have come and have to wait: at most one that was begun to be answered, and
    /// [`READ_CHUNK`] bytes.
    held: Vec<u8>,
    /// What the first line of those held waits for, if it was asked already.
    pending: Option<Box<Pending>>,
}

/// Who speaks, borrowed part by part.
pub struct Guest<'g> {
    /// Who it is.
    pub who: &'g mut Who,
    /// What is observed of it.
    pub observed: &'g mut Observed,
    /// What it has of its flow.
    pub meter: &'g mut Meter,
}

/// What a turn has come to.
#[derive(Debug)]
pub struct Turn<'c> {
    /// Lines of nonsense that were dropped in it.
    pub dropped: u64,
    /// Units of work that were done in it: see [`TURN_WORK`].
    pub work: u32,
    /// What comes next.
    pub outcome: Outcome<'c>,
}

/// What comes after a turn.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome<'c> {
    /// More has to come.
    Read,
    /// The reply to a line is there.
    Answered {
        /// The line. `None`: it was too long, and nothing of it was kept.
        line: Option<&'c [u8]>,
        /// What became of it as a whole.
        code: Code,
        /// More has come, which waits until others had their turns.
        has_more: bool,
    },
    /// It goes on at that time: the guest's flow, or others' turns, are waited for.
    Wait(Instant),
    /// The line that is held waits for values, at the latest until then.
    WaitForValue(Instant),
}

impl Conversation {
    /// Nothing was said yet.
    pub fn new(dialect: Dialect) -> Self {
        let protocol = Protocol::new(dialect);
        Self { protocol, framer: Framer::new(), held: Vec::new(), pending: None }
    }

    /// Whether something has come that waits: then the next turn has nothing new to read.
    pub fn has_held(&self) -> bool {
        !self.held.is_empty()
    }

    /// What the first line that is held waits for.
    pub fn pending(&self) -> Option<&Pending> {
        self.pending.as_deref()
    }

    /// Takes one turn with what was held, or with `input`, which has come since and is at most
    /// [`READ_CHUNK`] bytes. At most one line is answered, into `reply`, and no more is begun when
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
        debug_assert!(input.is_empty() || self.held.is_empty());
        let Self { protocol, framer, held, pending } = self;
        let mut taken = std::mem::take(held);
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
            let when = When::of(pending.take().map(|waits| *waits), now);
            let answered = engine.answer(&frame, protocol, who, observed, when, reply);
            work += engine.take_work();
            if let Err(waits) = answered {
                let until = waits.until;
                *pending = Some(waits.into());
                *held = with_rest(&frame, rest);
                break Outcome::WaitForValue(until);
            }
            let Some(code) = reply.result() else {
                meter.bytes.take(NONSENSE_COST, flow.bytes, now);
                dropped += 1;
                continue;
            };
            meter.lines.take(1, flow.lines, now);
            let has_more = !rest.is_empty();
            let is_kept = matches!(frame, Frame::Line(_));
            break Outcome::Answered { line: is_kept.then(|| framer.given()), code, has_more };
        };
        if held.is_empty() {
            let left = rest.len();
            *held =
                if taken.is_empty() { rest.to_vec() } else { taken.split_off(taken.len() - left) };
        }
        debug_assert!(held.len() <= LINE_MAX + 1 + READ_CHUNK);
        Turn { dropped, work, outcome }
    }
}

/// A line with what came behind it, as both came.
fn with_rest(frame: &Frame<'_>, rest: &[u8]) -> Vec<u8> {
    match frame {
        Frame::Line(line) => [line, b"\n".as_slice(), rest].concat(),
        Frame::TooLong => rest.to_vec(),
    }
}

#[cfg(test)]
mod tests;
