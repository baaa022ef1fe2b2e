//! A turn of the helper: it is started, it answers and is sent the next request, or it is ended.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hostinfo_peer::ReadError;

use super::{Helper, LIBVIRT};
use crate::believed::words;
use crate::errors::Found;
use crate::limits::{ANSWER_DEADLINE, BYTES_MAX, DEADLINE, ERRORS_EVERY};
use crate::message::{Message, VERSION};
use crate::process::{PROGRAM, Process};
use crate::snapshot::Snapshot;
use crate::wanted::Wanted;

/// Why a helper that was taken over is not started again yet.
const UNCLOSED: &str = "hostinfo-libvirt has sent descriptors that take long to close, so somebody may have taken it \
     over: it is started again once they are closed";

#[derive(Debug)]
pub(super) struct Running {
    pub(super) process: Process,
    since: Instant,
    is_known: bool,
    pub(super) asked: Option<Asked>,
}

/// The request it has to answer; its initial report has the number 0.
#[derive(Debug)]
pub(super) struct Asked {
    number: u64,
    since: Instant,
    pub(super) until: Instant,
}

impl Asked {
    fn new(number: u64, now: Instant) -> Self {
        Self { number, since: now, until: now + DEADLINE }
    }

    /// Part of the answer has arrived.
    fn go_on(&mut self, now: Instant) {
        self.until = (now + DEADLINE).min(self.since + ANSWER_DEADLINE);
    }

    /// Says which deadline has passed.
    fn overdue(&self) -> String {
        let (within, what) = if self.until == self.since + ANSWER_DEADLINE {
            (ANSWER_DEADLINE, "come to the end of an answer")
        } else {
            (DEADLINE, "answer")
        };
        format!("libvirt did not {what} within {} s", within.as_secs())
    }
}

impl Helper {
    /// Call this when the descriptor is readable. Returns whether there is a new [`Snapshot`].
    #[must_use]
    pub fn on_ready(&mut self, now: Instant) -> bool {
        if self.is_paused {
            return false;
        }
        if let Some(presence) = &self.presence
            && presence.has_come(Path::new(LIBVIRT))
        {
            self.presence = None;
            self.backoff.begin_anew(now);
        }
        match self.read_errors(now).and_then(|()| self.listen(now)) {
            Ok(is_new) => {
                self.ask(now);
                is_new
            }
            Err(why) => {
                self.end(&why, now);
                true
            }
        }
    }

    /// Call this when the deadline has passed. Returns whether there is a new [`Snapshot`].
    #[must_use]
    pub fn on_time(&mut self, now: Instant) -> bool {
        if self.errors_at.is_some_and(|at| at <= now) {
            self.await_errors(now);
        }
        if let Some(Running { asked: Some(asked), .. }) = &self.process
            && asked.until <= now
        {
            let why = asked.overdue();
            self.end(&why, now);
            return true;
        }
        if let Some(child) = &mut self.leaving
            && self.backoff.not_before().is_some_and(|at| at <= now)
        {
            match child.try_wait() {
                Ok(None) => self.backoff.failed(Duration::ZERO, now),
                Ok(Some(_)) | Err(_) => self.leaving = None,
            }
        }
        let is_due = self.backoff.due().is_some_and(|due| due <= now);
        if !is_due || self.leaving.is_some() || self.process.is_some() {
            return false;
        }
        if self.unclosed.count() > 0 {
            // Each helper may leave another socket.
            self.backoff.failed(Duration::ZERO, now);
            return false;
        }
        match self.start(now) {
            Ok(()) => false,
            Err(why) => {
                self.end(&why, now);
                true
            }
        }
    }

    fn start(&mut self, now: Instant) -> Result<(), String> {
        self.backoff.started();
        self.presence = None;
        let process = match Process::start(&self.programs, &self.arguments, &self.unclosed) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(format!("{PROGRAM} is not installed"));
            }
            other => other.map_err(|error| format!("cannot start {PROGRAM}: {error}"))?,
        };
        let wait = if self.is_paused { Ok(()) } else { self.poll.add(&process) };
        let asked = Some(Asked::new(0, now));
        self.process = Some(Running { process, since: now, is_known: false, asked });
        self.await_errors(now);
        wait.map_err(|error| format!("cannot wait for {PROGRAM}: {error}"))
    }

    /// Waits for what the helper writes to standard error.
    fn await_errors(&mut self, now: Instant) {
        let Some(running) = &mut self.process else { return };
        let is_awaited = self.is_paused || self.poll.add(running.process.errors()).is_ok();
        self.errors_at = (!is_awaited).then(|| now + ERRORS_EVERY);
    }

    /// Reads some of that, and no more for [`ERRORS_EVERY`]. An error means that this helper is of no further use.
    fn read_errors(&mut self, now: Instant) -> Result<(), String> {
        let Some(running) = self.process.as_mut().filter(|_| self.errors_at.is_none()) else {
            return Ok(());
        };
        let found = running.process.errors().read(&mut self.errors).map_err(unreadable)?;
        if found != Found::NothingYet {
            self.poll.delete(running.process.errors());
            self.errors_at = (found == Found::Some).then(|| now + ERRORS_EVERY);
        }
        Ok(())
    }

    /// Reads what has arrived. An error means that this helper is of no further use.
    fn listen(&mut self, now: Instant) -> Result<bool, String> {
        let Some(running) = &mut self.process else { return Ok(false) };
        let is_there = running.process.read().map_err(unreadable)?;
        let mut is_new = false;
        while let Some(message) = running.process.next()? {
            if let Some(asked) = &mut running.asked {
                asked.go_on(now);
            }
            match message {
                Message::Hello { version: VERSION } => running.is_known = true,
                _ if !running.is_known => {
                    return Err(format!(
                        "{PROGRAM} is of another release than this program: install both again"
                    ));
                }
                Message::Hello { .. } => {}
                Message::Domain(domain) => self.collector.domain(domain.believed(), now),
                Message::Gone(uuid) => self.collector.gone(uuid),
                Message::Reverted(uuid) => self.collector.reverted(uuid),
                Message::Figures(uuid, figures) => self.collector.figures(uuid, figures, now),
                Message::Hypervisor(hypervisor) => self.collector.hypervisor(hypervisor.believed()),
                Message::Down(why) => return Err(why),
                Message::Done(number) => {
                    let answered = running.asked.take_if(|asked| asked.number == number);
                    self.as_of = answered.map(|asked| asked.since).or(self.as_of);
                    // Before its first complete answer it knows only a part.
                    is_new |= running.asked.as_ref().is_none_or(|asked| asked.number != 0);
                }
            }
            if !self.collector.fits() {
                return Err(format!("{PROGRAM} reported over {BYTES_MAX} bytes about domains"));
            }
        }
        // Only once, however often it reports that it is done.
        if is_new {
            self.snapshot = Arc::new(self.collector.snapshot());
        }
        if is_there { Ok(is_new) } else { Err(format!("{PROGRAM} ended without an answer")) }
    }

    /// Requests what is wanted, unless an answer is still pending.
    pub(super) fn ask(&mut self, now: Instant) {
        let Some(running) = &mut self.process else { return };
        if running.asked.is_some() {
            return;
        }
        let number = self.asks + 1;
        let Some(ask) = self.wanted.take(number) else { return };
        self.asks = number;
        // If it does not take the request, the deadline reveals it.
        let _ = running.process.ask(&ask);
        running.asked = Some(Asked::new(number, now));
    }

    /// Ends a helper that runs, as if another program took this one's place; soon, another is started. Returns whether there
    /// is a new [`Snapshot`].
    #[must_use]
    pub fn renew(&mut self, now: Instant) -> bool {
        if self.process.is_none() {
            return false;
        }
        self.kill(now);
        self.backoff.begin_anew(now);
        if self.unclosed.count() > 0 {
            self.forget(UNCLOSED);
            return true;
        }
        if let Some(known) = self.hand_over(now) {
            self.take_over(known);
        }
        false
    }

    /// Ends the helper, and drops everything it reported, except which domain each socket belongs to: a
    /// conflict that was found is not over because nobody can be asked.
    pub(super) fn end(&mut self, why: &str, now: Instant) {
        let since = self.process.as_ref().map_or(now, |running| running.since);
        self.kill(now);
        self.backoff.failed(now.saturating_duration_since(since), now);
        self.forget(if self.unclosed.count() > 0 { UNCLOSED } else { why });
    }

    fn kill(&mut self, now: Instant) {
        if let Some(running) = &mut self.process {
            running.process.errors().read_last(&mut self.errors);
        }
        self.errors_at = None;
        self.leaving = self.process.take().map(|running| running.process.kill());
        self.wanted = Wanted::default();
        self.collector.clear(now);
    }

    fn forget(&mut self, why: &str) {
        self.as_of = None;
        self.snapshot = Arc::new(Snapshot::down(&words(why), Arc::clone(&self.snapshot.whose)));
        self.await_libvirt();
    }
}

fn unreadable(error: ReadError) -> String {
    format!("{PROGRAM}: {error}")
}
