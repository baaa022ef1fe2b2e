//! Replies that need time: when they were asked for, and what they wait for.

use std::time::Instant;

use serde::{Deserialize, Serialize};

/// When a line was asked, and the current time.
#[derive(Debug, Clone, Copy)]
pub struct When {
    /// When the line came.
    pub asked: Instant,
    /// The current time.
    pub now: Instant,
    /// Whether its answer was begun before, and counted then.
    pub is_begun: bool,
}

impl When {
    /// A line that may have come earlier and waited.
    pub fn of(pending: Option<Pending>, now: Instant) -> Self {
        let is_begun = pending.is_some();
        Self { asked: pending.map_or(now, |pending| pending.asked), now, is_begun }
    }
}

impl From<Instant> for When {
    /// A line that came just now.
    fn from(now: Instant) -> Self {
        Self { asked: now, now, is_begun: false }
    }
}

/// Some values are on their way. Asking again with this `asked` gets the reply once all values have
/// come, or at `until` in any case. Asking before the value of `on` has come is useless.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// When the line came.
    #[serde(with = "hostinfo_handover::instant")]
    pub asked: Instant,
    /// When it is answered at the latest.
    #[serde(with = "hostinfo_handover::instant")]
    pub until: Instant,
    /// The name of the last value to be started. Commands start in order, so once this one has
    /// come, only those that run beside it are left. So a line is tried again `RUNS_MAX` times,
    /// however many values it waits for (and once more for each command that hung before, which is
    /// started after the others). Empty if it waits only for more threads of its VMM to be read.
    pub on: String,
}
