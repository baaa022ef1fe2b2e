//! A host's notices, and the format of the file that stores them.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::limits::{FILE_MAX, NOTICES_MAX, PER_GUEST};
use crate::notice::{Draft, Invalid, Notice};

/// The notices of a host. Cheap to clone, so that a change can be tried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notices {
    /// Sorted by `at`, then by id.
    notices: Vec<Arc<Notice>>,
    next: u64,
}

/// Why a notice was not added.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The draft is invalid.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// It has already ended, so nobody would ever see it.
    #[error("it already ended at {0}")]
    Over(Timestamp),
    /// There are too many.
    #[error("this host has {NOTICES_MAX} notices: clear some, or use patterns for many guests")]
    Full,
}

/// Why a file does not contain notices.
#[derive(Debug, thiserror::Error)]
pub enum Damaged {
    /// It is over [`FILE_MAX`].
    #[error("has over {FILE_MAX} bytes")]
    Long,
    /// It is not JSON of that form.
    #[error("{0}")]
    Malformed(#[from] serde_json::Error),
    /// One of them is invalid.
    #[error("notice {0}: {1}")]
    Invalid(u64, Invalid),
    /// There are too many, or two have the same id.
    #[error("has over {NOTICES_MAX} notices, or two with the same id")]
    Ids,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// The id of the next one.
    next: u64,
    notices: Vec<Entry>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: u64,
    notice: Draft,
}

impl Default for Notices {
    fn default() -> Self {
        Self { notices: Vec::new(), next: 1 }
    }
}

impl Notices {
    /// Parses what [`Notices::to_bytes`] has written.
    ///
    /// # Errors
    /// [`Damaged`] if any of it cannot be understood: nothing is accepted then.
    pub fn parse(bytes: &[u8]) -> Result<Self, Damaged> {
        if bytes.len() > FILE_MAX {
            return Err(Damaged::Long);
        }
        let File { next, notices } = serde_json::from_slice(bytes)?;
        let mut ids = HashSet::new();
        let own = |entry: &Entry| entry.id < next && ids.insert(entry.id);
        if notices.len() > NOTICES_MAX || !notices.iter().all(own) {
            return Err(Damaged::Ids);
        }
        let mut all = Self { notices: Vec::with_capacity(notices.len()), next };
        for Entry { id, notice } in notices {
            let notice = Notice::new(id, notice).map_err(|why| Damaged::Invalid(id, why))?;
            all.notices.push(Arc::new(notice));
        }
        all.sort();
        Ok(all)
    }

    /// The contents of their file, at most [`FILE_MAX`] bytes: JSON that a person can read.
    pub fn to_bytes(&self) -> Vec<u8> {
        let entry = |one: &Arc<Notice>| Entry { id: one.id, notice: one.draft.clone() };
        let file = File { next: self.next, notices: self.notices.iter().map(entry).collect() };
        // There are no maps with keys that are not text, nor anything else that JSON lacks.
        let mut bytes = serde_json::to_vec_pretty(&file).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// Adds one. If the same notice exists, perhaps with another end, it is replaced: setting it
    /// again changes nothing.
    ///
    /// # Errors
    /// [`Refused`]; nothing changes then.
    pub fn set(&mut self, draft: Draft, now: Timestamp) -> Result<Arc<Notice>, Refused> {
        self.drop_over(now);
        let same = self.notices.iter().position(|one| {
            let Draft { pattern, kind, at, until: _, text } = &one.draft;
            (pattern, kind, at, text) == (&draft.pattern, &draft.kind, &draft.at, &draft.text)
        });
        let before = same.and_then(|at| self.notices.get(at));
        let id = before.map_or(self.next, |before| before.id);
        let notice = Arc::new(Notice::new(id, draft)?);
        if let Some(until) = notice.draft.until.filter(|_| notice.is_over(now)) {
            return Err(Refused::Over(until));
        }
        if let Some(before) = same.and_then(|at| self.notices.get_mut(at)) {
            *before = Arc::clone(&notice);
        } else if self.notices.len() < NOTICES_MAX {
            self.notices.push(Arc::clone(&notice));
            self.next = self.next.saturating_add(1);
            self.sort();
        } else {
            return Err(Refused::Full);
        }
        Ok(notice)
    }

    /// Removes the notices that are `meant`, and returns them.
    pub fn clear(&mut self, meant: impl Fn(&Notice) -> bool) -> Vec<Arc<Notice>> {
        let (cleared, kept) = self.notices.drain(..).partition(|notice| meant(notice));
        self.notices = kept;
        cleared
    }

    /// All that have not ended. First those that are still to come or that have an end, the soonest
    /// first. Then those that have begun and have no end, the newest first; they come last so that
    /// a forgotten notice does not hide the others.
    pub fn all(&self, now: Timestamp) -> impl Iterator<Item = &Arc<Notice>> {
        let ending = self.notices.iter().filter(move |notice| !notice.is_lasting(now));
        let lasting = self.notices.iter().rev().filter(move |notice| notice.is_lasting(now));
        ending.filter(move |notice| !notice.is_over(now)).chain(lasting)
    }

    /// What the guest with a socket of that name sees: the first [`PER_GUEST`] of those that are
    /// for it.
    pub fn of(&self, guest: &str, now: Timestamp) -> impl Iterator<Item = &Arc<Notice>> {
        self.all(now).filter(move |notice| notice.is_for(guest)).take(PER_GUEST)
    }

    /// Whether the guest with a socket of that name does not see a notice that is for it, because
    /// [`PER_GUEST`] others come first.
    pub fn hide(&self, notice: &Notice, guest: &str, now: Timestamp) -> bool {
        let before = self.all(now).take_while(|other| other.id != notice.id);
        before.filter(|other| other.is_for(guest)).nth(PER_GUEST - 1).is_some()
    }

    fn drop_over(&mut self, now: Timestamp) {
        self.notices.retain(|notice| !notice.is_over(now));
    }

    fn sort(&mut self) {
        self.notices.sort_by_key(|notice| (notice.draft.at, notice.id));
    }
}

#[cfg(test)]
mod tests;
