//! Guests in a handover.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use hostinfo_answer::{Meter, Name, ObservedState, Peer, RequesterState};
use hostinfo_domains::{Marks, Uuid};
use hostinfo_handover::instant;
use hostinfo_rules::Tags;
use serde::{Deserialize, Serialize};

use super::ports::PortState;
use crate::audit::quota::{OncePerMinute, Quotas};
use crate::metrics::tally::Record;
use crate::system::descriptors::Number;

/// All guests, and where they connect.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GuestsState {
    /// Guests by their whole names.
    pub(crate) guests: BTreeMap<String, GuestState>,
    /// Guests that are not served, since these two processes claim to be them.
    pub(crate) contested: BTreeMap<String, [Option<Peer>; 2]>,
    /// Sockets at which guests' VMMs connect, by the names that the service manager knows them by.
    pub(crate) listeners: Vec<(String, Number)>,
    /// The listener of AF_VSOCK.
    pub(crate) vsock: Option<Number>,
    /// Whoever has connected there and is not known yet.
    pub(crate) unidentified: Vec<UnidentifiedState>,
    /// Incidents that could not be written to their files.
    pub(crate) unwritten: VecDeque<(Box<str>, Vec<u8>)>,
}

/// A connection over AF_VSOCK of which it is not known whose it is.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UnidentifiedState {
    pub(crate) fd: Number,
    pub(crate) cid: u32,
    #[serde(with = "instant")]
    pub(crate) since: Instant,
}

/// One guest.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GuestState {
    pub(crate) who: RequesterState,
    /// Whether its rule has it watched for good, or that is not known.
    pub(crate) may_be_watched: bool,
    pub(crate) observed: ObservedState,
    pub(crate) tags: Tags,
    #[serde(with = "instant::option")]
    pub(crate) since: Option<Instant>,
    pub(crate) marks: Option<Box<Marks>>,
    pub(crate) is_unread: bool,
    /// A sample that it was due for when it was no longer watched.
    #[serde(with = "instant::option")]
    pub(crate) left_at: Option<Instant>,
    pub(crate) meter: Meter,
    pub(crate) record: Record,
    pub(crate) quotas: Quotas,
    pub(crate) has_disk: bool,
    pub(crate) cid: Option<u32>,
    pub(crate) by_cid: Option<Uuid>,
    pub(crate) not_admitted: OncePerMinute,
    /// Its ports that are connected.
    pub(crate) ports: Vec<PortState>,
}

impl GuestsState {
    /// Whether it says what can be.
    ///
    /// # Errors
    /// What cannot.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        let mut names = self.guests.keys().chain(self.contested.keys());
        if names.any(|name| Name::parse(name).is_none()) {
            return Err("a guest has a name that no guest can have");
        }
        self.guests.values().flat_map(|guest| &guest.ports).try_for_each(PortState::check)
    }
}
