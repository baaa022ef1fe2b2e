//! A host's notices, and the text of the file that keeps them.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::limits::{FILE_MAX, NOTICES_MAX, PER_GUEST};
use crate::notice::{Draft, Invalid, Notice};

/// The notices of a host. Cheap to clone, so that a change can be tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notices {
    /// By `at`, and those of the same time by id.
    notices: Vec<Arc<Notice>>,
    next: u64,
}

/// Why there is no other notice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The draft is no notice.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// Nobody would ever be told.
    #[error("it already ended at {0}")]
    Over(Timestamp),
    /// There are enough.
    #[error("this host has {NOTICES_MAX} notices: clear some, or use patterns for many guests")]
    Full,
}

/// Why a file's text holds no notices.
#[derive(Debug, thiserror::Error)]
pub enum Damaged {
    /// It is over [`FILE_MAX`].
    #[error("has over {FILE_MAX} bytes")]
    Long,
    /// It is no JSON of that form.
    #[error("{0}")]
    Malformed(#[from] serde_json::Error),
    /// One of them is none.
    #[error("notice {0}: {1}")]
    Invalid(u64, Invalid),
    /// There are too many, or their ids are not their own.
    #[error("has over {NOTICES_MAX} notices, or two of one id")]
    Ids,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// The next one's id.
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
    /// Those that [`Notices::to_bytes`] has written.
    ///
    /// # Errors
    /// [`Damaged`], where one of them or all cannot be understood: nothing is taken then.
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

    /// What a file holds of them, at most [`FILE_MAX`] bytes: JSON, fit to be read by a person.
    pub fn to_bytes(&self) -> Vec<u8> {
        let entry = |one: &Arc<Notice>| Entry { id: one.id, notice: one.draft.clone() };
        let file = File { next: self.next, notices: self.notices.iter().map(entry).collect() };
        // Neither maps with keys that are no text nor anything else that JSON has not.
        let mut bytes = serde_json::to_vec_pretty(&file).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// Adds one. The same one again, if perhaps with another end, takes its place: who sets what
    /// is set changes nothing.
    ///
    /// # Errors
    /// [`Refused`]; nothing is changed then.
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

    /// Takes those away that are `meant`, and hands them out.
    pub fn clear(&mut self, meant: impl Fn(&Notice) -> bool) -> Vec<Arc<Notice>> {
        let (cleared, kept) = self.notices.drain(..).partition(|notice| meant(notice));
        self.notices = kept;
        cleared
    }

    /// All that are not over: what is to come and what has its end, the soonest first; behind
    /// them, lest what was forgotten hides them, what has come about and has no end, the newest
    /// first.
    pub fn all(&self, now: Timestamp) -> impl Iterator<Item = &Arc<Notice>> {
        let ending = self.notices.iter().filter(move |notice| !notice.is_lasting(now));
        let lasting = self.notices.iter().rev().filter(move |notice| notice.is_lasting(now));
        ending.filter(move |notice| !notice.is_over(now)).chain(lasting)
    }

    /// What the guest with a socket of that name is told: the first [`PER_GUEST`] of them that are
    /// for it.
    pub fn of(&self, guest: &str, now: Timestamp) -> impl Iterator<Item = &Arc<Notice>> {
        self.all(now).filter(move |notice| notice.is_for(guest)).take(PER_GUEST)
    }

    /// Whether the guest with a socket of that name is not told a notice that is for it, since
    /// [`PER_GUEST`] others come before that.
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
