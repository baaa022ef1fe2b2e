//! A guest's incidents: when one opens, when it closes, and which of them are kept.
//!
//! An incident opens after two samples in a row that are contended or self-limited, and closes
//! after [`CLOSES`] samples that are ok. Unknown samples do neither. Numbers are stored, and words
//! are made when the guest asks. Nothing here reads a clock or a file.

mod file;

use std::cmp::Reverse;
use std::time::Duration;

use hostinfo_catalog::source::Judged;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::incident::figure::Figure;
use crate::incident::{End, Incident};
use crate::{Interval, Permits, State, judge};

pub use file::{DAMAGED, Damaged, FILE_MAX, FOLDER, UNFINISHED};

/// Number of ok samples that close an incident: a minute.
const CLOSES: u32 = 6;

/// If the end of an incident was not seen and one of the same kind begins within this time, both
/// are one incident: the daemon was restarted. The stored file lags by up to a minute, and a new
/// watch opens an incident within half a minute.
const SAME: SignedDuration = SignedDuration::from_mins(2);

/// Number of incidents that one guest can read: 2 KB of a reply.
pub(crate) const INCIDENTS_MAX: usize = 16;

/// How long guests can read an incident after its end.
const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// An open incident that no sample has shown for longer than this is not said to last, since nobody
/// knows whether it does. This is how long [`CLOSES`] samples take.
const LASTS: SignedDuration = SignedDuration::from_mins(1);

/// How far the stored end of an open incident may lag.
const BEHIND: SignedDuration = SignedDuration::from_mins(1);

/// The incidents of a guest.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Incidents {
    /// The newest first. At most one incident for each resource is open.
    list: Vec<Incident>,
    recent: [Recent; Judged::ALL.len()],
    stored: Stored,
}

/// An incident as the host's administrator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Past {
    /// What was short.
    pub what: Judged,
    /// [`State::Contended`] or [`State::SelfLimited`].
    pub state: State,
    /// When it began.
    pub from: Timestamp,
    /// When it was last seen.
    pub to: Timestamp,
    /// Whether it is certainly over. Otherwise it may last.
    pub is_over: bool,
    /// How bad it was, in words; `None` if nothing was measured.
    pub figure: Option<String>,
}

/// The recent verdicts on one resource.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Recent {
    /// The last sample, if a second one like it would open an incident.
    first: Option<(State, Timestamp, Figure)>,
    /// Number of ok samples since the last sample that belonged to the incident.
    ok: u32,
}

/// Whether the stored file is up to date.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Stored {
    #[default]
    All,
    /// Up to date except for the end of an open incident, which has lagged since then.
    Since(Timestamp),
    Not,
}

impl Incidents {
    /// Judges a sample: the time from the previous sample until `now`.
    pub fn judge(&mut self, interval: &Interval<'_>, now: Timestamp) {
        let mut recent = std::mem::take(&mut self.recent);
        for (what, recent) in Judged::ALL.into_iter().zip(&mut recent) {
            match judge(what, interval, &|_, _| false).state {
                State::Unknown => recent.first = None,
                State::Ok => self.ok(what, recent),
                state => self.not_ok((what, state), recent, interval, now),
            }
        }
        self.recent = recent;
    }

    fn ok(&mut self, what: Judged, recent: &mut Recent) {
        recent.first = None;
        recent.ok = recent.ok.saturating_add(1);
        if recent.ok >= CLOSES
            && let Some(open) = self.open_one(what)
        {
            open.end = End::Closed;
            self.stored = Stored::Not;
        }
    }

    fn not_ok(
        &mut self,
        (what, state): (Judged, State),
        recent: &mut Recent,
        interval: &Interval<'_>,
        now: Timestamp,
    ) {
        let mut figure = Figure::of(what, interval);
        let first = recent.first.take();
        let open = self.open_one(what);
        if let Some(open) = open.filter(|open| open.state == state) {
            recent.ok = 0;
            open.extend(now, &figure);
            self.stored = self.stored.behind(now);
            return;
        }
        // One sample of another state does not end an open incident; a second one does.
        let is_open = self.open_one(what).is_some();
        let Some((_, since, sum)) = first.filter(|(first, ..)| !is_open || *first == state) else {
            let length = SignedDuration::try_from(interval.length).unwrap_or_default();
            recent.first = Some((state, now.checked_sub(length).unwrap_or(now), figure));
            return;
        };
        recent.ok = 0;
        figure.add(&sum);
        let (from, to, end) = (since.min(now), now, End::Open);
        self.open(Incident { what, state, from, to, figure, end });
    }

    fn open_one(&mut self, what: Judged) -> Option<&mut Incident> {
        self.list.iter_mut().find(|one| one.what == what && one.end == End::Open)
    }

    fn open(&mut self, new: Incident) {
        self.stored = Stored::Not;
        let of_this = self.list.iter_mut().filter(|other| other.what == new.what);
        for other in of_this {
            let gap = new.from.duration_since(other.to);
            if other.end == End::Unseen && other.state == new.state && gap < SAME {
                other.end = End::Open;
                return other.extend(new.to, &new.figure);
            }
            // Whatever was open, or was not seen to end, is over: another one has begun.
            other.end = End::Closed;
        }
        self.list.push(new);
        self.tidy();
    }

    /// The guest is no longer watched: open incidents end where they were last seen.
    pub fn end(&mut self) {
        self.recent = Default::default();
        for open in self.list.iter_mut().filter(|one| one.end == End::Open) {
            open.end = End::Unseen;
            self.stored = Stored::Not;
        }
    }

    /// Adds incidents of the same guest that were read from a file.
    pub fn merge(&mut self, stored: Self) {
        self.list.extend(stored.list);
        self.tidy();
    }

    /// Keeps [`INCIDENTS_MAX`]: the open ones, and the newest of the others.
    fn tidy(&mut self) {
        self.list.sort_by_key(|one| (one.end != End::Open, Reverse(one.from)));
        self.list.truncate(INCIDENTS_MAX);
        self.list.sort_by_key(|one| Reverse(one.from));
    }

    /// What the guest reads, the newest first; see `incident.rs`. `time_shift` is the guest's own.
    pub fn lines(&self, now: Timestamp, time_shift: Duration, permits: Permits<'_>) -> Vec<String> {
        let words = |one: &Incident| {
            let is_lasting = one.end == End::Open && now.duration_since(one.to) <= LASTS;
            one.words(is_lasting, time_shift, permits)
        };
        self.kept(now).map(words).collect()
    }

    /// All of them, the newest first, for the host's administrator, who may see every figure.
    pub fn past(&self) -> impl Iterator<Item = Past> {
        self.list.iter().map(|one| Past {
            what: one.what,
            state: one.state,
            from: one.from,
            to: one.to,
            is_over: one.end == End::Closed,
            figure: one.figure.words(one.what, &|_, _| true),
        })
    }

    /// Whether a change still has to be stored. Becomes true at most a minute after the change.
    pub fn is_unstored(&self) -> bool {
        self.stored == Stored::Not
    }

    /// Whether no incident is left for the guest to read.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.kept(now).next().is_none()
    }

    fn kept(&self, now: Timestamp) -> impl Iterator<Item = &Incident> {
        let is_new = move |one: &&Incident| now.duration_since(one.to) <= KEPT;
        self.list.iter().filter(is_new)
    }
}

impl Stored {
    /// The state after an open incident was extended.
    fn behind(self, now: Timestamp) -> Self {
        match self {
            Self::All => Self::Since(now),
            Self::Since(then) if now.duration_since(then).abs() < BEHIND => self,
            Self::Since(_) | Self::Not => Self::Not,
        }
    }
}

#[cfg(test)]
mod tests;
