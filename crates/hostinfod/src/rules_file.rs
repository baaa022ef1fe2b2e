//! hostinfo.conf as a file: read when it has changed, kept where it is bad.

use std::fs::OpenOptions;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hostinfo_rules::{Problem, Rules};
use rustix::fs::inotify::{ReadFlags, WatchFlags};

use crate::file_error::FileError;
use crate::trail::{Step, trail};
use crate::watch::{Change, Watch, Watcher};

/// The time that a changed file is left alone before it is read.
const SETTLE: Duration = Duration::from_millis(50);

/// The largest file that is read: 100,000 rules of 160 bytes.
const FILE_MAX: u64 = 16 * 1024 * 1024;

/// The rules in force, and the file that they come from.
pub(crate) struct RulesFile {
    path: PathBuf,
    rules: Rules,
    watcher: Watcher,
    steps: Vec<(Option<Watch>, Step)>,
    pending: Pending,
}

/// Whether the file is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pending {
    /// It has not changed.
    No,
    /// It has, and is left alone until then.
    Settling(Instant),
    /// Somebody writes it, and will close it.
    BeingWritten,
}

/// Why a file's rules are not in force.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// It could not be read.
    #[error(transparent)]
    Unreadable(FileError),
    /// It has errors.
    #[error("{}", show(.problems, .path))]
    Malformed {
        /// The file.
        path: PathBuf,
        /// All of them.
        problems: Vec<Problem>,
    },
    /// It is gone or holds no rule, where rules were in force.
    #[error("{path}: {what}; who wants no rules writes `*:`", path = .path.display())]
    Empty {
        /// The file.
        path: PathBuf,
        /// Which of the two.
        what: &'static str,
    },
}

impl RulesFile {
    /// Reads the file for the first time; without one the built-in default is in force.
    ///
    /// # Errors
    /// Where it is bad: a daemon does not start so. Where it cannot be watched.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let watcher = Watcher::new().map_err(FileError::of(path)).map_err(Error::Unreadable)?;
        let mut file = Self {
            path: path.to_owned(),
            rules: Rules::builtin(),
            watcher,
            steps: Vec::new(),
            pending: Pending::No,
        };
        file.follow();
        match file.read()? {
            Some(rules) => file.rules = rules,
            None => {
                tracing::info!("{}: no such file: the built-in rules are in force", path.display());
            }
        }
        Ok(file)
    }

    /// The rules in force.
    pub(crate) fn rules(&self) -> &Rules {
        &self.rules
    }

    /// What tells that something has changed.
    pub(crate) fn watcher(&self) -> &Watcher {
        &self.watcher
    }

    /// When [`RulesFile::reload`] is due.
    pub(crate) fn due(&self) -> Option<Instant> {
        match self.pending {
            Pending::Settling(until) => Some(until),
            Pending::No | Pending::BeingWritten => None,
        }
    }

    /// Takes note of what has changed.
    pub(crate) fn take_changes(&mut self, now: Instant) {
        for change in self.watcher.changes() {
            if self.concerns_us(&change) {
                self.note(change.what, now);
            }
        }
    }

    /// Asks for the file to be read, as SIGHUP does: now, unless somebody is writing it.
    pub(crate) fn ask(&mut self, now: Instant) {
        if self.pending == Pending::BeingWritten {
            tracing::info!("{}: is being written, and read when that ends", self.path.display());
        } else {
            self.pending = Pending::Settling(now);
        }
    }

    /// Reads the file. True where other rules are in force now.
    ///
    /// # Errors
    /// Where the rules of before stay in force.
    pub(crate) fn reload(&mut self) -> Result<bool, Error> {
        self.pending = Pending::No;
        self.follow();
        let empty = |what| Err(Error::Empty { path: self.path.clone(), what });
        match self.read()? {
            None if self.rules.is_empty() => Ok(false),
            None => empty("is gone"),
            Some(rules) if rules.is_empty() && !self.rules.is_empty() => empty("holds no rule"),
            Some(rules) => {
                self.rules = rules;
                Ok(true)
            }
        }
    }

    fn concerns_us(&self, change: &Change) -> bool {
        change.what.contains(ReadFlags::QUEUE_OVERFLOW)
            || self.steps.iter().any(|(watch, (_, name))| {
                *watch == Some(change.watch)
                    && change.name.as_ref().is_none_or(|changed| changed == name)
            })
    }

    fn note(&mut self, what: ReadFlags, now: Instant) {
        if what.contains(ReadFlags::MODIFY) {
            self.pending = Pending::BeingWritten;
        } else if !what.contains(ReadFlags::ATTRIB) || self.pending != Pending::BeingWritten {
            self.pending = Pending::Settling(now + SETTLE);
        }
    }

    /// Watches every place where the path can be made to lead elsewhere.
    fn follow(&mut self) {
        let steps = trail(&self.path).unwrap_or_default();
        let before = std::mem::take(&mut self.steps);
        for step in steps {
            let watch = self.watcher.add(&step.0, WATCHED);
            if let Err(error) = &watch {
                tracing::warn!(
                    "{}: cannot be watched: {error}; SIGHUP still works",
                    step.0.display()
                );
            }
            self.steps.push((watch.ok(), step));
        }
        for (watch, _) in before {
            if let Some(watch) = watch
                && self.steps.iter().all(|(now, _)| *now != Some(watch))
            {
                self.watcher.remove(watch);
            }
        }
    }

    /// The file's rules; `None` where there is no file.
    fn read(&self) -> Result<Option<Rules>, Error> {
        let text = read_text(&self.path).map_err(FileError::of(&self.path));
        let Some(text) = text.map_err(Error::Unreadable)? else { return Ok(None) };
        let parsed = hostinfo_rules::parse(&text)
            .map_err(|problems| Error::Malformed { path: self.path.clone(), problems })?;
        for warning in &parsed.warnings {
            tracing::warn!("{}", warning.show(&self.path));
        }
        tracing::info!(rules = parsed.rules.len(), "{}: in force", self.path.display());
        Ok(Some(parsed.rules))
    }
}

const WATCHED: WatchFlags = WatchFlags::CLOSE_WRITE
    .union(WatchFlags::MODIFY)
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::CREATE)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::ATTRIB);

/// The file's text, of whatever kind the file is: a pipe does not hold the daemon up.
fn read_text(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let opened = OpenOptions::new().read(true).custom_flags(nonblocking).open(path);
    let file = match opened {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let mut text = Vec::new();
    if file.take(FILE_MAX + 1).read_to_end(&mut text)? as u64 > FILE_MAX {
        return Err(io::Error::other(format!("has over {FILE_MAX} bytes")));
    }
    Ok(Some(text))
}

fn show(problems: &[Problem], path: &Path) -> String {
    let shown: Vec<String> =
        problems.iter().map(|problem| problem.show(path).to_string()).collect();
    shown.join("\n")
}

#[cfg(test)]
mod tests;
