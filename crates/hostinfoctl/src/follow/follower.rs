//! The loop: takes in what libvirt reports, and gives one guest after the other its channel.

use std::sync::Arc;
use std::time::Instant;

use hostinfo_domains::{PROGRAM, TagSources, Uuid};
use hostinfo_wire::text::escaped;

use crate::args::Options;
use crate::change::{Report, print_report};
use crate::exit::{DONE, Failure, Status, complain};
use crate::follow::attach::attach;
use crate::follow::connection::{Blame, Connection, blame};
use crate::follow::lines::Lines;
use crate::follow::need::need;
use crate::follow::queue::{Queue, Seen, Trouble};
use crate::follow::reporter::{Reporter, Stop};
use crate::follow::selection::Selection;
use crate::output::write_json_line;

/// The two connections, and what is known.
pub(super) struct Follower<'a> {
    options: &'a Options,
    selection: Selection,
    sought: TagSources,
    reporter: Reporter,
    connection: Connection<'a>,
    queue: Queue,
    lines: Lines,
    /// Whether libvirt answers, as was last printed.
    answers: Option<bool>,
    /// Why the connection could not be made, as was last printed.
    unconnected: Option<String>,
}

impl<'a> Follower<'a> {
    /// Nothing is known yet.
    pub(super) fn new(
        options: &'a Options,
        selection: Selection,
        sought: TagSources,
        connection: Connection<'a>,
        reporter: Reporter,
    ) -> Self {
        Self {
            options,
            selection,
            sought,
            reporter,
            connection,
            queue: Queue::default(),
            lines: Lines::default(),
            answers: None,
            unconnected: None,
        }
    }

    /// Follows the guests until a signal has come.
    ///
    /// # Errors
    /// [`Failure`]: the programs do not belong together, or stdout cannot be written to.
    pub(super) fn run(mut self, stop: &Stop) -> Result<Status, Failure> {
        loop {
            let is_new = self.reporter.wait(stop, self.due())?;
            if stop.is_set() {
                return Ok(DONE);
            }
            let now = Instant::now();
            for line in self.reporter.take_errors() {
                self.complain(now, &format!("{PROGRAM}: {line}"));
            }
            if is_new {
                self.take_in(now)?;
            }
            self.attach_next(now)?;
            if let Some(left_out) = self.lines.left_out(now) {
                complain(format!("{left_out} more lines like these were left out"));
            }
        }
    }

    /// When there is something to do even if libvirt reports nothing.
    fn due(&self) -> Option<Instant> {
        let is_there = self.reporter.snapshot().outage().is_none();
        let next = self.queue.due().filter(|_| is_there);
        let next = next.map(|at| self.connection.not_before().map_or(at, |not| not.max(at)));
        [next, self.lines.due()].into_iter().flatten().min()
    }

    /// Takes in a new report, or that there is none.
    fn take_in(&mut self, now: Instant) -> Result<(), Failure> {
        if let Some(outage) = self.reporter.outage(&self.options.connect) {
            self.connection.close();
            if self.answers.replace(false) == Some(false) {
                return Ok(());
            }
            // The other helper says what kind of failure it is, and so the right remedy is known.
            let failure = self.connection.get(now).err().unwrap_or(outage);
            if blame(&failure) == Blame::Installation {
                return Err(failure);
            }
            self.complain(now, &format!("{failure}; guests get no port until it answers"));
            return Ok(());
        }
        let snapshot = Arc::clone(self.reporter.snapshot());
        let seen = snapshot.guests().filter_map(|guest| {
            let domain = &guest.domain;
            let need = need(domain, &self.selection, &self.sought, snapshot.whose())?;
            Some(Seen { uuid: domain.uuid, run: domain.id?, name: domain.socket_name(), need })
        });
        let troubles = self.queue.report(seen, self.reporter.as_of(), now);
        if self.answers.replace(true) != Some(true) {
            let (all, without) = self.queue.counts();
            let line = format!(
                "libvirt answers: running guests that match: {all}, without a port: {without}"
            );
            self.complain(now, &line);
        }
        for Trouble { name, why } in troubles {
            self.complain(now, &format!("{name}: {why}"));
        }
        Ok(())
    }

    /// Gives the next domain its channel, if one is due.
    fn attach_next(&mut self, now: Instant) -> Result<(), Failure> {
        let snapshot = Arc::clone(self.reporter.snapshot());
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
        self.unconnected = None;
        match attach(libvirt, &guest.domain, &self.options.directory) {
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
        if self.unconnected.as_ref() != Some(&words) {
            self.complain(now, &format!("{words}; trying again"));
            self.unconnected = Some(words);
        }
        Ok(())
    }

    /// A domain could not be given its channel.
    fn failed(&mut self, uuid: Uuid, failure: Failure) -> Result<(), Failure> {
        // The try may have taken long.
        let now = Instant::now();
        let blame = blame(&failure);
        if blame == Blame::Installation {
            return Err(failure);
        }
        match blame {
            Blame::Domain => self.connection.worked(),
            // Other domains do not wait for this one. Whether libvirt answers at all, the next
            // connection shows.
            Blame::Both => self.connection.close(),
            Blame::Connection | Blame::Installation => self.connection.lost(now),
        }
        let why = match failure {
            _ if blame == Blame::Connection => None,
            Failure::Refused(why) => Some(why),
            other => Some(format!("{other}; trying again")),
        };
        self.queue.failed(uuid, why, now);
        self.reporter.look(now);
        Ok(())
    }

    fn report(&self, report: &Report) -> Result<(), Failure> {
        if self.options.json {
            return write_json_line(report);
        }
        print_report(report, "enabled")
    }

    /// Writes a line to stderr, unless there were too many. Names and libvirt's words are any text.
    fn complain(&mut self, now: Instant, line: &str) {
        if self.lines.may_write(now) {
            complain(escaped(line));
        }
    }
}
