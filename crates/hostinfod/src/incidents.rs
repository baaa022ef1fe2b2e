//! Incidents as files of the state directory, so that they outlive the daemon: one for each guest
//! whose rule has it watched, named by what makes it the same guest.
//!
//! Which there are, and when each is written; how that is done is in `folder`.

mod folder;
mod name;

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::time::{Duration, Instant};

use hostinfo_answer::Key;
use hostinfo_verdict::Incidents;
use jiff::Timestamp;

use folder::Folder;
use name::Names;

/// The time between two writes, for all guests together.
const PERIOD: Duration = Duration::from_secs(1);

/// The same after one that failed: a disk that is full is so for longer.
const AFTER_FAILURE: Duration = Duration::from_secs(60);

/// How often it is looked for what is over.
const SWEEP: Duration = Duration::from_secs(24 * 60 * 60);

/// The incidents that are kept.
pub(crate) struct IncidentFiles {
    folder: Folder,
    names: Names,
    /// Each file, and the whole name of the guest that it is of.
    guests: HashMap<Box<str>, Box<str>>,
    /// What is to be written, the oldest first.
    unwritten: VecDeque<(Box<str>, Vec<u8>)>,
    /// When the next one may be.
    free_at: Instant,
    swept: Instant,
    /// What went wrong at the last write, as the log was told.
    problem: Option<String>,
}

impl IncidentFiles {
    /// Those in `state`. What is of nobody any more, or of a guest that is not `kept`, is deleted;
    /// what cannot be read is left aside, and the log says so.
    pub(crate) fn open(
        state: &Path,
        proc: &Path,
        kept: impl Fn(&str) -> bool,
        now: Instant,
    ) -> Self {
        let mut files = Self {
            folder: Folder::in_state(state),
            names: Names::new(proc),
            guests: HashMap::new(),
            unwritten: VecDeque::new(),
            free_at: now,
            swept: now,
            problem: None,
        };
        files.sweep(kept, now);
        files
    }

    /// What is kept of a guest that has come, and has that name now. What another guest of that
    /// name had is deleted.
    pub(crate) fn settle(&mut self, key: Key, guest: &str) -> Incidents {
        let Some(file) = self.names.of(key) else { return Incidents::default() };
        let others =
            self.guests.iter().filter(|(other, name)| **other != file && &***name == guest);
        let others: Vec<Box<str>> = others.map(|(other, _)| other.clone()).collect();
        others.iter().for_each(|other| self.delete(other));
        let Some(name) = self.guests.get_mut(&file) else { return Incidents::default() };
        *name = guest.into();
        if let Some((_, bytes)) = self.unwritten.iter().find(|(other, _)| *other == file) {
            return Incidents::parse(bytes).map(|(_, incidents)| incidents).unwrap_or_default();
        }
        let read = self.folder.read(&file);
        if read.is_none() {
            self.guests.remove(&file);
        }
        read.map(|(_, incidents)| incidents).unwrap_or_default()
    }

    /// Has a guest's incidents written when it is their turn.
    pub(crate) fn keep(&mut self, key: Key, guest: &str, bytes: Vec<u8>) {
        let Some(file) = self.names.of(key) else { return };
        self.guests.insert(file.clone(), guest.into());
        match self.unwritten.iter_mut().find(|(other, _)| *other == file) {
            Some((_, before)) => *before = bytes,
            None => self.unwritten.push_back((file, bytes)),
        }
    }

    /// Deletes what is kept of a guest.
    pub(crate) fn forget(&mut self, key: Key) {
        if let Some(file) = self.names.of(key) {
            self.delete(&file);
        }
    }

    /// Deletes what is kept of guests that are not to be any more.
    pub(crate) fn retain(&mut self, kept: impl Fn(&str) -> bool) {
        let gone = self.guests.iter().filter(|(_, guest)| !kept(guest));
        let gone: Vec<Box<str>> = gone.map(|(file, _)| file.clone()).collect();
        gone.iter().for_each(|file| self.delete(file));
    }

    /// When there is something to do; see [`Self::turn`].
    pub(crate) fn due(&self) -> Option<Instant> {
        let write = (!self.unwritten.is_empty()).then_some(self.free_at);
        let sweep = (!self.guests.is_empty()).then_some(self.swept + SWEEP);
        write.into_iter().chain(sweep).min()
    }

    /// Writes what has waited longest, and now and then deletes what is over.
    pub(crate) fn turn(&mut self, kept: impl Fn(&str) -> bool, now: Instant) {
        if now >= self.free_at {
            self.free_at = now + if self.write_next() { PERIOD } else { AFTER_FAILURE };
        }
        if now >= self.swept + SWEEP {
            self.sweep(kept, now);
        }
    }

    /// Writes all that waits: the daemon ends.
    pub(crate) fn write_all(&mut self) {
        while !self.unwritten.is_empty() && self.write_next() {}
    }

    /// False where it failed. It is tried again when it is its turn.
    fn write_next(&mut self) -> bool {
        let Some((file, bytes)) = self.unwritten.pop_front() else { return true };
        let problem = self.folder.write(&file, &bytes).err().map(|error| error.to_string());
        if problem.is_some() {
            self.unwritten.push_back((file, bytes));
        }
        if let Some(problem) = problem.as_ref().filter(|_| self.problem.is_none()) {
            tracing::error!("cannot save incidents: {problem}");
        }
        self.problem = problem;
        self.problem.is_none()
    }

    /// Looks at every file.
    fn sweep(&mut self, kept: impl Fn(&str) -> bool, now: Instant) {
        self.swept = now;
        for file in self.folder.files().filter(|file| Names::is_ours(file)) {
            if self.is_unwritten(&file) {
                continue;
            }
            let Some((guest, incidents)) = self.folder.read(&file) else {
                self.guests.remove(&*file);
                continue;
            };
            // The name that it has now may be another one.
            let guest = self.guests.entry(file.as_str().into()).or_insert(guest.into());
            let is_kept = kept(guest) && !incidents.is_over(Timestamp::now());
            if !is_kept || self.names.is_over(&file) {
                self.delete(&file);
            }
        }
    }

    fn is_unwritten(&self, file: &str) -> bool {
        self.unwritten.iter().any(|(other, _)| &**other == file)
    }

    fn delete(&mut self, file: &str) {
        self.guests.remove(file);
        self.unwritten.retain(|(other, _)| &**other != file);
        self.folder.delete(file);
    }
}

#[cfg(test)]
mod tests;
