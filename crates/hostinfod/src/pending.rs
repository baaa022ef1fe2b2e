//! Replies that take their time: when they were asked for, and what they wait for.

use std::time::Instant;

/// When a question came, and what time it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct When {
    pub(crate) asked: Instant,
    pub(crate) now: Instant,
}

impl When {
    /// A question that may have come before, and waited.
    pub(crate) fn of(pending: Option<Pending>, now: Instant) -> Self {
        Self { asked: pending.map_or(now, |pending| pending.asked), now }
    }
}

impl From<Instant> for When {
    /// The question came just now.
    fn from(now: Instant) -> Self {
        Self { asked: now, now }
    }
}

/// Some values are on their way. Who asks again as having asked then gets his answer when all of
/// them have come, and at `until` in any case. Until there is news of `on`, asking is no use.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) asked: Instant,
    pub(crate) until: Instant,
    /// The last of them. Commands are started in their order, so when it has come, no more are left
    /// than run beside it: a line is asked again `RUNS_MAX` times, however many it waits for. (Once
    /// more for each that hung before, which are started behind the others.)
    pub(crate) on: String,
}
