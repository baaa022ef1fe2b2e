//! hostinfo.conf as a file: read when it has changed. If it has errors, the previous rules stay in
//! force.

mod in_force;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hostinfo_control::limits::PROBLEM_MAX;
use hostinfo_control::{RulesState, timestamp};
use hostinfo_domains::cut;
use hostinfo_rules::{Problem, Rules};
use rustix::fs::inotify::{ReadFlags, WatchFlags};

use crate::audit::Event;
use crate::system::file_error::TRY_AGAIN;
use crate::system::watch::{Watch, Watcher};
use crate::system::watched_path::WatchedPath;

pub(crate) use in_force::{Error, InForce};

/// A changed file is read once it has not changed for this time.
const SETTLE: Duration = Duration::from_millis(50);

/// At SIGHUP, a writer that has the file open without writing is not waited for any longer than
/// this.
const QUIET: Duration = Duration::from_secs(1);

/// The rules in force, and the file they come from.
pub(crate) struct RulesFile {
    path: PathBuf,
    in_force: InForce,
    /// Why the file's current text is not in force.
    problem: Option<String>,
    watcher: Watcher,
    watched_path: WatchedPath,
    /// The watch on the file itself, which may be written under another name.
    file: Option<Watch>,
    pending: Pending,
}

/// Whether the file is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pending {
    /// It has not changed.
    No,
    /// It has changed, and is to be read at that time.
    Settling(Instant),
    /// Somebody is writing it, last at that time, and will close it.
    BeingWritten(Instant),
}

/// Whether a daemon would start with the rules in the file.
///
/// # Errors
/// They cannot be read, or have errors.
pub(crate) fn check(path: &Path) -> Result<(), Error> {
    InForce::read(path).map(drop)
}

/// Whether a daemon would go on under rules that another program hands over.
///
/// # Errors
/// They have errors to this program.
pub(crate) fn check_handover(text: Option<&str>, path: &Path) -> Result<(), Error> {
    text.map_or(Ok(()), |text| InForce::parse(text.as_bytes(), path).map(drop))
}

impl RulesFile {
    /// Reads the file for the first time. If it does not exist, the built-in default is in force.
    ///
    /// # Errors
    /// The file has errors; the daemon does not start then.
    pub(crate) fn open(path: &Path, watcher: Watcher) -> Result<Self, Error> {
        let mut file = Self::unread(path, watcher);
        match InForce::read(&file.path)? {
            Some((rules, warnings)) => file.put_in_force(rules, &warnings),
            None => {
                tracing::info!("{}: no such file: the built-in rules are in force", path.display());
            }
        }
        Ok(file)
    }

    /// Goes on under rules that another program hands over: those in `text`, or the built-in default. The file may have
    /// changed since: [`RulesFile::reload`] finds out.
    ///
    /// # Errors
    /// They have errors to this program.
    pub(crate) fn taken_over(
        text: Option<&str>,
        path: &Path,
        watcher: Watcher,
    ) -> Result<Self, Error> {
        let mut file = Self::unread(path, watcher);
        if let Some(text) = text {
            let (rules, warnings) = InForce::parse(text.as_bytes(), path)?;
            file.put_in_force(rules, &warnings);
        }
        Ok(file)
    }

    /// Under the built-in default.
    fn unread(path: &Path, watcher: Watcher) -> Self {
        let mut file = Self {
            path: path.to_owned(),
            in_force: InForce::builtin(),
            problem: None,
            watcher,
            watched_path: WatchedPath::new(path),
            file: None,
            pending: Pending::No,
        };
        file.follow();
        file
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The rules in force.
    pub(crate) fn rules(&self) -> &Rules {
        &self.in_force.rules
    }

    /// The file's state for administrators.
    pub(crate) fn state(&self) -> RulesState {
        RulesState {
            path: self.path.display().to_string(),
            rules: self.in_force.rules.len() as u64,
            since: timestamp(self.in_force.since),
            problem: self.problem.clone(),
        }
    }

    /// The rules in force, and where they come from.
    pub(crate) fn in_force(&self) -> &InForce {
        &self.in_force
    }

    /// The text of the rules in force, for another program; `None` for the built-in default.
    ///
    /// # Errors
    /// The file is about to change them, or cannot. With the remedy.
    pub(crate) fn hand_over(&mut self, now: Instant) -> Result<Option<String>, String> {
        self.take_changes(now);
        if let Some(problem) = &self.problem {
            return Err(format!("the rules file has to be mended first: {problem}"));
        }
        match self.pending {
            Pending::No => Ok(self.in_force.text.clone()),
            Pending::Settling(_) | Pending::BeingWritten(_) => {
                let path = self.path.display();
                Err(format!("{path} is being written: try again when it is in force"))
            }
        }
    }

    /// Reports changes of the file.
    pub(crate) fn watcher(&self) -> &Watcher {
        &self.watcher
    }

    /// When [`RulesFile::reload`] is due.
    pub(crate) fn due(&self) -> Option<Instant> {
        match self.pending {
            Pending::Settling(until) => Some(until),
            Pending::No | Pending::BeingWritten(_) => None,
        }
    }

    /// Handles changes of the file.
    pub(crate) fn take_changes(&mut self, now: Instant) {
        for change in self.watcher.changes() {
            if Some(change.watch) == self.file || self.watched_path.concerns(&change) {
                self.note(change.what, now);
            }
        }
    }

    /// Asks for the file to be read, as SIGHUP does: now, unless somebody is writing it.
    pub(crate) fn ask(&mut self, now: Instant) {
        self.pending = match self.pending {
            Pending::BeingWritten(last) => Pending::Settling(now.max(last + QUIET)),
            Pending::No | Pending::Settling(_) => Pending::Settling(now),
        };
    }

    /// Reads the file. Returns true if other rules are in force now. If it cannot be read for a passing reason, it is
    /// read again soon.
    ///
    /// # Errors
    /// The previous rules stay in force. A passing reason is reported once.
    pub(crate) fn reload(&mut self, now: Instant) -> Result<bool, Error> {
        self.pending = Pending::No;
        self.follow();
        let reloaded = self.take_over();
        let problem = reloaded.as_ref().err().map(Error::to_string);
        let problem = problem.map(|problem| cut(&problem, PROBLEM_MAX).to_owned());
        let before = std::mem::replace(&mut self.problem, problem);
        if matches!(&reloaded, Err(Error::Unreadable(error)) if error.is_passing()) {
            self.pending = Pending::Settling(now + TRY_AGAIN);
            if before == self.problem {
                return Ok(false);
            }
        }
        reloaded
    }

    fn take_over(&mut self) -> Result<bool, Error> {
        let empty = |what| Err(Error::Empty { path: self.path.clone(), what });
        let has_rules = !self.in_force.rules.is_empty();
        match InForce::read(&self.path)? {
            None if !has_rules => Ok(false),
            None => empty("is gone"),
            // Only the mode or the time changed, or SIGHUP came: nothing new comes into force.
            Some((new, _)) if new.text == self.in_force.text => Ok(false),
            Some((new, _)) if new.rules.is_empty() && has_rules => empty("holds no rule"),
            Some((new, warnings)) => {
                self.put_in_force(new, &warnings);
                Ok(true)
            }
        }
    }

    fn put_in_force(&mut self, new: InForce, warnings: &[Problem]) {
        for warning in warnings {
            tracing::warn!("{}", warning.show(&self.path));
        }
        Event::RulesLoaded { file: &self.path, rules: new.rules.len() }.log();
        self.in_force = new;
    }

    fn note(&mut self, what: ReadFlags, now: Instant) {
        let is_being_written = matches!(self.pending, Pending::BeingWritten(_));
        if what.contains(ReadFlags::MODIFY) {
            self.pending = Pending::BeingWritten(now);
        } else if !what.contains(ReadFlags::ATTRIB) || !is_being_written {
            self.pending = Pending::Settling(now + SETTLE);
        }
    }

    /// Watches the file, and everything on its path whose change can make the path lead elsewhere.
    fn follow(&mut self) {
        let (file, unwatched) = self.watched_path.follow(&self.watcher, WRITTEN);
        for error in unwatched {
            tracing::warn!("{error}; changes there take effect only at SIGHUP");
        }
        let watch = self.watcher.add(&file, WRITTEN | WatchFlags::ATTRIB).ok();
        self.watcher.replace(&mut self.file, watch);
    }
}

/// The file is being written, or was written.
const WRITTEN: WatchFlags = WatchFlags::CLOSE_WRITE.union(WatchFlags::MODIFY);

#[cfg(test)]
mod tests;
