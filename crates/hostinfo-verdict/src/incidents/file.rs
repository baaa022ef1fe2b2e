//! A guest's incidents as the bytes of a file.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{INCIDENTS_MAX, Incidents, Stored};
use crate::State;
use crate::incident::figure::Figure;
use crate::incident::{End, Incident};

/// The folder in the daemon's state directory that has a file for each guest.
pub const FOLDER: &str = "incidents";

/// The extension of a file that could not be parsed and was set aside.
pub const DAMAGED: &str = "damaged";

/// The file in it that is being written, before it gets a guest's name.
pub const UNFINISHED: &str = "incidents.new";

/// The largest file of a guest: 16 incidents of 200 bytes, and the guest's name.
pub const FILE_MAX: usize = 4096;

/// The version of the format that is written, and the only one that is read.
const VERSION: u32 = 1;

/// Why a file's bytes are not incidents.
#[derive(Debug, thiserror::Error)]
pub enum Damaged {
    /// Longer than [`FILE_MAX`].
    #[error("has over {FILE_MAX} bytes")]
    Long,
    /// Not JSON of that format.
    #[error("{0}")]
    Malformed(#[from] serde_json::Error),
    /// Written by another release.
    #[error("has version {0}, but this release reads version {VERSION}")]
    Version(u32),
    /// One entry is invalid, or there are too many.
    #[error("has an invalid incident, or over {INCIDENTS_MAX} of them")]
    Invalid,
}

#[derive(Deserialize)]
struct Head {
    version: u32,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    /// Whole name of the guest that last had these incidents.
    guest: String,
    incidents: Vec<Entry>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    what: String,
    state: String,
    from: Timestamp,
    to: Timestamp,
    /// Whether its end was not seen.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    open: bool,
    part: u64,
    whole: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    disk: Option<Box<str>>,
}

impl Incidents {
    /// Reads what [`Incidents::store`] wrote: the incidents, and the whole name of the guest they
    /// belong to. Incidents that were open count as ones whose end was not seen.
    ///
    /// # Errors
    /// [`Damaged`]: nothing is used then.
    pub fn parse(bytes: &[u8]) -> Result<(String, Self), Damaged> {
        if bytes.len() > FILE_MAX {
            return Err(Damaged::Long);
        }
        match serde_json::from_slice(bytes)? {
            Head { version: VERSION } => {}
            Head { version } => return Err(Damaged::Version(version)),
        }
        let File { guest, incidents, .. } = serde_json::from_slice(bytes)?;
        let list: Option<Vec<Incident>> = incidents.into_iter().map(Entry::incident).collect();
        let list = list.filter(|list| list.len() <= INCIDENTS_MAX).ok_or(Damaged::Invalid)?;
        let mut all = Self { list, ..Self::default() };
        all.tidy();
        Ok((guest, all))
    }

    /// The content of the file for the guest with that whole name, at most [`FILE_MAX`] bytes. From
    /// then on the incidents count as stored. Incidents that are too old at `now` are left out.
    pub fn store(&mut self, guest: &str, now: Timestamp) -> Vec<u8> {
        let mut incidents: Vec<Entry> = self.kept(now).map(Entry::of).collect();
        self.stored = Stored::All;
        loop {
            let file = File { version: VERSION, guest: guest.to_owned(), incidents };
            // Cannot fail: there are no maps with non-string keys, nor anything else that JSON
            // cannot express.
            let mut bytes = serde_json::to_vec(&file).unwrap_or_default();
            bytes.push(b'\n');
            incidents = file.incidents;
            if bytes.len() <= FILE_MAX || incidents.pop().is_none() {
                return bytes;
            }
        }
    }
}

impl Entry {
    fn of(incident: &Incident) -> Self {
        let Incident { what, state, from, to, figure, end } = incident;
        let Figure { part, whole, disk } = figure.clone();
        let second = |time: &Timestamp| Timestamp::from_second(time.as_second()).unwrap_or(*time);
        Self {
            what: what.word().to_owned(),
            state: state.word().to_owned(),
            from: second(from),
            to: second(to),
            open: *end != End::Closed,
            part,
            whole,
            disk,
        }
    }

    /// `None` if it is not a valid incident.
    fn incident(self) -> Option<Incident> {
        let Self { what, state, from, to, open, part, whole, disk } = self;
        let (what, state) = (what.parse().ok()?, state.parse().ok()?);
        let is_one = matches!(state, State::Contended | State::SelfLimited) && from <= to;
        let figure = Figure { part, whole, disk };
        let end = if open { End::Unseen } else { End::Closed };
        let incident = Incident { what, state, from, to, figure, end };
        (is_one && incident.figure.is_sound()).then_some(incident)
    }
}
