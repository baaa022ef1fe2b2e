//! Replies that take their time: when they were asked for, and what they wait for.

use std::time::Instant;

/// When a question came, and what time it is.
#[derive(Debug, Clone, Copy)]
pub struct When {
    /// When it came.
    pub asked: Instant,
    /// What time it is.
    pub now: Instant,
}

impl When {
    /// A question that may have come before, and waited.
    pub fn of(pending: Option<Pending>, now: Instant) -> Self {
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
pub struct Pending {
    /// When the question came.
    pub asked: Instant,
    /// When it is answered at the latest.
    pub until: Instant,
    /// The last of them. Commands are started in their order, so when it has come, no more are left
    /// than run beside it: a line is asked again `RUNS_MAX` times, however many it waits for. (Once
    /// more for each that hung before, which are started behind the others.)
    pub on: String,
}
