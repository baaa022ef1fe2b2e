//! What is known of a statistic when it is asked for, and what has arrived since.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use hostinfo_sample::Absent;
use hostinfo_wire::Value;

use crate::failure::NOT_YET;

/// Values, or failures, that have arrived.
#[derive(Debug, Default)]
pub struct NewValues(pub(super) HashMap<Box<str>, HashSet<Box<str>>>);

impl NewValues {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether there is one of the statistic of that name for a guest.
    pub fn has(&self, name: &str, guest: &str) -> bool {
        let of = |guests: &HashSet<Box<str>>| guests.contains("") || guests.contains(guest);
        self.0.get(name).is_some_and(of)
    }
}

/// The result of asking for a statistic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A value, or why there is none.
    Ready(Result<Value<'static>, Absent>),
    /// A run is in progress or queued. To get the value, ask again with the same `asked` as soon as
    /// [`Custom::turn`](super::Custom::turn) reports it; at `until` there is an answer in any case.
    Pending {
        /// When to ask again at the latest.
        until: Instant,
    },
}

impl Answer {
    /// The answer for a caller that does not wait.
    ///
    /// # Errors
    /// Why there is no value now.
    pub fn at_once(self) -> Result<Value<'static>, Absent> {
        match self {
            Self::Ready(outcome) => outcome,
            Self::Pending { .. } => Err(NOT_YET),
        }
    }
}
