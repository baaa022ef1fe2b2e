//! `enable --follow`: gives guests a channel when they start.
//!
//! Two helper processes ask libvirt. One has a read-only connection, as for the daemon, and reports
//! which domains there are (`watcher`). `need` decides what each of them needs, `queue` which one is
//! next, and `attach` gives it its channel over the other one's connection, which may change domains
//! (`connection`). One domain is changed at a time. Nothing is remembered that cannot be seen again:
//! after an interruption of any kind, the first report says who has no port.

mod attach;
mod connection;
mod dry_run;
mod lines;
mod need;
mod queue;
mod selection;
mod watcher;

use std::sync::Arc;
use std::time::Instant;

use hostinfo_domains::{Sought, Uuid};

use crate::args::{Enable, Options};
use crate::change::{Report, tell};
use crate::directory;
use crate::exit::{DONE, Failure, Status, complain};
use crate::output::{printable, write};
use crate::tags;
use connection::{Blame, Connection, blame};
use lines::Lines;
use need::need;
use queue::{Queue, Seen};
use selection::Selection;
use watcher::{Stop, Watcher};

/// Follows the guests until a signal ends it, or shows what it would do now.
///
/// # Errors
/// [`Failure`]: libvirt cannot be reached at the start, or the programs do not belong together.
pub(crate) fn run(options: &Options, wanted: &Enable) -> Result<Status, Failure> {
    let selection = Selection::of(&wanted.guests)?;
    let sought = sought(options, &selection)?;
    directory::is_open_to_session(options)?;
    let driver = options.connect.split([':', '+']).next().unwrap_or_default();
    if let Some((word, meant)) = selection.meant_for_whole_names(driver) {
        complain(format!(
            "note: patterns are those of guests' names, without {driver}-: instead of {word:?}, \
             did you mean {meant:?}?"
        ));
    }
    if wanted.dry_run {
        return dry_run::run(options, &selection, &sought);
    }
    let stop = Stop::catch()?;
    let connection = Connection::open(options)?;
    directory::make(options, false)?;
    let watcher = Watcher::start(options, &sought)?;
    let follower = Follower {
        options,
        selection,
        sought,
        watcher,
        connection,
        queue: Queue::default(),
        lines: Lines::default(),
        answers: None,
        told: None,
    };
    follower.run(&stop)
}

/// Which tags there are, if there are conditions on any.
fn sought(options: &Options, selection: &Selection) -> Result<Sought, Failure> {
    let none = Sought { own: false, sources: Vec::new() };
    let conditions = selection.conditions();
    if conditions.is_empty() {
        return Ok(none);
    }
    let sought = tags::sought(options)?.unwrap_or(none);
    let is_known = |key: &&str| sought.own || sought.sources.iter().any(|one| one.key == **key);
    match conditions.keys().find(|key| !is_known(key)) {
        None => Ok(sought),
        Some(key) => Err(Failure::Refused(format!(
            "no guest can have the tag {key}: {} says [tags] own = false or [libvirt] enabled = \
             false, and has no place for it",
            options.config.display()
        ))),
    }
}

struct Follower<'a> {
    options: &'a Options,
    selection: Selection,
    sought: Sought,
    watcher: Watcher,
    connection: Connection<'a>,
    queue: Queue,
    lines: Lines,
    /// Whether libvirt answers, as was last told.
    answers: Option<bool>,
    /// Why the connection could not be made, as was last told.
    told: Option<String>,
}

impl Follower<'_> {
    fn run(mut self, stop: &Stop) -> Result<Status, Failure> {
        loop {
            let is_new = self.watcher.wait(stop, self.due())?;
            if stop.is_set() {
                return Ok(DONE);
            }
            let now = Instant::now();
            if is_new {
                self.take_in(now);
            }
            self.attach_next(now)?;
            if let Some(left_out) = self.lines.left_out(now) {
                complain(format!("{left_out} more lines like these were left out"));
            }
        }
    }

    /// When there is something to do even if libvirt reports nothing.
    fn due(&self) -> Option<Instant> {
        let is_there = self.watcher.snapshot().outage().is_none();
        let next = self.queue.due().filter(|_| is_there);
        let next = next.map(|at| self.connection.not_before().map_or(at, |not| not.max(at)));
        [next, self.lines.due()].into_iter().flatten().min()
    }

    /// Takes in a new report.
    fn take_in(&mut self, now: Instant) {
        let snapshot = Arc::clone(self.watcher.snapshot());
        if let Some(why) = snapshot.outage() {
            self.connection.close();
            if self.answers.replace(false) != Some(false) {
                let uri = &self.options.connect;
                self.complain(now, format!("{uri}: {why}; guests get no port until it answers"));
            }
            return;
        }
        let seen = snapshot.guests().filter_map(|guest| {
            let domain = &guest.domain;
            let need = need(domain, &self.selection, &self.sought, snapshot.whose())?;
            Some(Seen { uuid: domain.uuid, run: domain.id?, name: &domain.name, need })
        });
        let troubles = self.queue.report(seen, self.watcher.as_of(), now);
        if self.answers.replace(true) != Some(true) {
            let (all, without) = self.queue.counts();
            self.complain(
                now,
                format!(
                    "libvirt answers: {all} running guests match, {without} without a port yet"
                ),
            );
        }
        for trouble in troubles {
            self.complain(now, format!("{}: {}", printable(&trouble.name), trouble.why));
        }
    }

    /// Gives the next domain its channel, if one is due.
    fn attach_next(&mut self, now: Instant) -> Result<(), Failure> {
        let snapshot = Arc::clone(self.watcher.snapshot());
        let waits = self.connection.not_before().is_some_and(|not_before| not_before > now);
        if waits || snapshot.outage().is_some() {
            return Ok(());
        }
        let Some(uuid) = self.queue.next(now) else { return Ok(()) };
        let Some(guest) = snapshot.guest(uuid) else {
            // It cannot be: the queue has what the last report had. If it were, it must not be next for ever.
            self.queue.settled(uuid);
            return Ok(());
        };
        let libvirt = match self.connection.get(now) {
            Ok(libvirt) => libvirt,
            Err(failure) => return self.unconnected(failure, now),
        };
        self.told = None;
        match attach::attach(libvirt, &guest.domain, &self.options.directory) {
            Ok((facts, is_changed)) => {
                self.connection.worked();
                self.queue.settled(uuid);
                if is_changed {
                    self.report(&Report::done("changed", &facts, String::new()))
                } else {
                    Ok(())
                }
            }
            Err(failure) => self.failed(uuid, failure),
        }
    }

    /// The connection cannot be made.
    fn unconnected(&mut self, failure: Failure, now: Instant) -> Result<(), Failure> {
        if blame(&failure) == Blame::Installation {
            return Err(failure);
        }
        let words = failure.to_string();
        if self.told.as_ref() != Some(&words) {
            self.complain(now, format!("{words}; trying again"));
            self.told = Some(words);
        }
        Ok(())
    }

    /// A domain could not be given its channel.
    fn failed(&mut self, uuid: Uuid, failure: Failure) -> Result<(), Failure> {
        // The try may have taken long.
        let now = Instant::now();
        let why = match blame(&failure) {
            Blame::Installation => return Err(failure),
            Blame::Connection => {
                self.connection.lost(now);
                None
            }
            Blame::Both => {
                self.connection.lost(now);
                Some(failure.to_string())
            }
            Blame::Domain => {
                self.connection.worked();
                Some(failure.to_string())
            }
        };
        self.queue.failed(uuid, why, now);
        self.watcher.look(now);
        Ok(())
    }

    fn report(&self, report: &Report) -> Result<(), Failure> {
        if self.options.json {
            let line = serde_json::to_string(report).map_err(std::io::Error::other)?;
            return write(&(line + "\n"));
        }
        tell(report, "enabled")
    }

    /// Writes a line to stderr, unless there were too many.
    fn complain(&mut self, now: Instant, line: String) {
        if self.lines.may_write(now) {
            complain(line);
        }
    }
}
