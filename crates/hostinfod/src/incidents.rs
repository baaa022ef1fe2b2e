//! Incidents as files of the state directory, so that they outlive the daemon: one for each guest
//! whose rule has it watched, named by what makes it the same guest.
//!
//! A file is written aside and moved into place, so that it is the old one or the new one when the
//! daemon is killed. It is not waited for until it is on the disk: after a loss of power it may be
//! the old one or none, and then it is left aside.

mod name;

use std::collections::{HashMap, VecDeque};
use std::fs::{self, DirBuilder, DirEntry};
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use hostinfo_answer::Key;
use hostinfo_rules::{Decision, Rules, Tags};
use hostinfo_verdict::{Damaged, FILE_MAX, Incidents};
use jiff::Timestamp;

use crate::system::file_error::FileError;
use name::Names;

/// The folder in the state directory, and what is written before it is moved there.
const FOLDER: &str = "incidents";
const ASIDE: &str = "incidents.new";

/// What is behind the name of a file that was not understood.
const DAMAGED: &str = "damaged";

/// The time between two writes, for all guests together.
const PERIOD: Duration = Duration::from_secs(1);

/// The same after one that failed: a disk that is full is so for longer.
const AFTER_FAILURE: Duration = Duration::from_secs(60);

/// How often it is looked for what is over.
const SWEEP: Duration = Duration::from_secs(24 * 60 * 60);

/// What nobody could read is left aside so long.
const DAMAGED_KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Files that are looked at: as many as libvirt has domains. To read them takes half a second.
const FILES_MAX: usize = hostinfo_domains::limits::DOMAINS_MAX;

/// The incidents that are kept.
pub(crate) struct IncidentFiles {
    state: PathBuf,
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

/// Why there are no incidents in a file.
#[derive(Debug, thiserror::Error)]
enum Unread {
    #[error(transparent)]
    File(#[from] hostinfo_file::Error),
    #[error(transparent)]
    Damaged(#[from] Damaged),
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
            state: state.to_owned(),
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
        match read(&self.path(&file)) {
            Ok((_, incidents)) => incidents,
            Err(why) => {
                self.set_aside(&file, &why);
                Incidents::default()
            }
        }
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
        let path = self.path(&file);
        let written = write(&self.state, &path, &bytes).map_err(FileError::of(&path));
        let problem = written.err().map(|error| error.to_string());
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
        let Ok(entries) = fs::read_dir(self.state.join(FOLDER)) else { return };
        for entry in entries.flatten().take(FILES_MAX) {
            let Ok(file) = entry.file_name().into_string() else { continue };
            if let Some(damaged) = file.strip_suffix(DAMAGED)
                && damaged.ends_with('.')
            {
                if is_old(&entry) {
                    let _ = fs::remove_file(entry.path());
                }
                continue;
            }
            let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
            if !is_file || !Names::is_ours(&file) || self.is_unwritten(&file) {
                continue;
            }
            match read(&entry.path()) {
                Err(why) => self.set_aside(&file, &why),
                Ok((guest, incidents)) => {
                    // The name that it has now may be another one.
                    let guest = self.guests.entry(file.as_str().into()).or_insert(guest.into());
                    let is_kept = kept(guest) && !incidents.is_over(Timestamp::now());
                    if !is_kept || self.names.is_over(&file) {
                        self.delete(&file);
                    }
                }
            }
        }
    }

    fn is_unwritten(&self, file: &str) -> bool {
        self.unwritten.iter().any(|(other, _)| &**other == file)
    }

    fn path(&self, file: &str) -> PathBuf {
        self.state.join(FOLDER).join(file)
    }

    fn delete(&mut self, file: &str) {
        self.guests.remove(file);
        self.unwritten.retain(|(other, _)| &**other != file);
        let path = self.path(file);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::error!("cannot delete incidents: {}", FileError::of(&path)(error));
            }
            _ => {}
        }
    }

    fn set_aside(&mut self, file: &str, why: &Unread) {
        self.guests.remove(file);
        let path = self.path(file);
        let aside = self.path(&format!("{file}.{DAMAGED}"));
        match fs::rename(&path, &aside) {
            Ok(()) => tracing::error!(
                "{}: {why}: the incidents of this guest are lost; the file was renamed to {}",
                path.display(),
                aside.display()
            ),
            Err(error) => {
                tracing::error!("{}: {why}; {}", path.display(), FileError::of(&aside)(error));
            }
        }
    }
}

/// Whether a guest that is not there may be watched for good when it comes: it is not known which tags
/// it has then.
pub(crate) fn may_be_watched(rules: &Rules, guest: &str) -> bool {
    match rules.decide_tagged(guest, &Tags::Unreadable) {
        Decision::Granted(grant) => grant.watch(),
        Decision::Unreadable(_) => true,
    }
}

/// One that is gone has none.
fn read(path: &Path) -> Result<(String, Incidents), Unread> {
    let bytes = hostinfo_file::read(path, FILE_MAX as u64)?;
    Ok(bytes.map(|bytes| Incidents::parse(&bytes)).transpose()?.unwrap_or_default())
}

fn write(state: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(state.join(FOLDER)) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let aside = state.join(ASIDE);
    let mut file = hostinfo_file::make_aside(&aside)?;
    file.write_all(bytes)?;
    fs::rename(&aside, path)
}

fn is_old(entry: &DirEntry) -> bool {
    let changed = entry.metadata().and_then(|metadata| metadata.modified());
    let age = changed.ok().and_then(|at| SystemTime::now().duration_since(at).ok());
    age.is_some_and(|age| age > DAMAGED_KEPT)
}

#[cfg(test)]
mod tests;
