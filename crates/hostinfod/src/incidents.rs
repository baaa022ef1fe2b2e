//! Incidents, stored in files of the state directory so that they outlive the daemon: one file for
//! each guest whose rule says it is watched, named by the guest's identity.
//!
//! This file keeps track of the files and decides when each is written; `folder` reads and writes
//! them.

mod folder;
mod name;

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::time::{Duration, Instant};

use hostinfo_answer::GuestKey;
use hostinfo_verdict::Incidents;
use jiff::Timestamp;

use folder::Folder;
use name::Names;

/// The time between two writes, for all guests together.
const PERIOD: Duration = Duration::from_secs(1);

/// The time after a failed write: a disk that is full stays full for a while.
const AFTER_FAILURE: Duration = Duration::from_secs(60);

/// How often incidents that are too old are deleted.
const SWEEP: Duration = Duration::from_secs(24 * 60 * 60);

/// The stored incidents.
pub(crate) struct IncidentFiles {
    folder: Folder,
    names: Names,
    /// Each file, and the whole name of its guest.
    guests: HashMap<Box<str>, Box<str>>,
    /// Content that is waiting to be written, the oldest first.
    unwritten: VecDeque<(Box<str>, Vec<u8>)>,
    /// When the next write is allowed.
    free_at: Instant,
    swept: Instant,
    /// The error of the last write, which was logged.
    problem: Option<String>,
}

impl IncidentFiles {
    /// Opens the files in `state`. Deletes incidents that are too old, and those of guests that are
    /// not `kept` or whose process has ended. A file that cannot be read is set aside, and the log
    /// says so.
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

    /// Returns what is stored for a guest that has come and now has that name. Deletes what another
    /// guest stored under that name.
    pub(crate) fn load(&mut self, key: GuestKey, guest: &str) -> Incidents {
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

    /// Queues a guest's incidents for writing.
    pub(crate) fn keep(&mut self, key: GuestKey, guest: &str, bytes: Vec<u8>) {
        let Some(file) = self.names.of(key) else { return };
        self.guests.insert(file.clone(), guest.into());
        match self.unwritten.iter_mut().find(|(other, _)| *other == file) {
            Some((_, before)) => *before = bytes,
            None => self.unwritten.push_back((file, bytes)),
        }
    }

    /// Deletes what is stored for a guest.
    pub(crate) fn forget(&mut self, key: GuestKey) {
        if let Some(file) = self.names.of(key) {
            self.delete(&file);
        }
    }

    /// Deletes what is stored for guests that are not `kept`.
    pub(crate) fn retain(&mut self, kept: impl Fn(&str) -> bool) {
        let gone = self.guests.iter().filter(|(_, guest)| !kept(guest));
        let gone: Vec<Box<str>> = gone.map(|(file, _)| file.clone()).collect();
        gone.iter().for_each(|file| self.delete(file));
    }

    /// When [`Self::turn`] has something to do.
    pub(crate) fn due(&self) -> Option<Instant> {
        let write = (!self.unwritten.is_empty()).then_some(self.free_at);
        let sweep = (!self.guests.is_empty()).then_some(self.swept + SWEEP);
        write.into_iter().chain(sweep).min()
    }

    /// Writes the file that has waited longest, and from time to time deletes what is too old.
    pub(crate) fn turn(&mut self, kept: impl Fn(&str) -> bool, now: Instant) {
        if now >= self.free_at {
            self.free_at = now + if self.write_next() { PERIOD } else { AFTER_FAILURE };
        }
        if now >= self.swept + SWEEP {
            self.sweep(kept, now);
        }
    }

    /// What could not be written, for another program.
    pub(crate) fn unwritten(&self) -> &VecDeque<(Box<str>, Vec<u8>)> {
        &self.unwritten
    }

    /// Goes on with what another program could not write.
    pub(crate) fn take_over(&mut self, unwritten: VecDeque<(Box<str>, Vec<u8>)>) {
        for (file, bytes) in unwritten {
            if let Ok((guest, _)) = Incidents::parse(&bytes) {
                self.guests.insert(file.clone(), guest.into());
                self.unwritten.push_back((file, bytes));
            }
        }
    }

    /// Before the daemon ends: writes everything that is waiting.
    pub(crate) fn write_all(&mut self) {
        while !self.unwritten.is_empty() && self.write_next() {}
    }

    /// Returns false if the write failed. The file then goes to the end of the queue.
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

    /// Checks every file.
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
            // The guest may have been renamed since the file was written.
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
