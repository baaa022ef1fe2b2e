//! The daemon's side of the helper.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use uuid::Uuid;

use crate::backoff::Backoff;
use crate::collector::Collector;
use crate::errors::Found;
use crate::limits::{ANSWER_DEADLINE, DEADLINE, ERRORS_EVERY};
use crate::message::{Hypervisor, Message, VERSION};
use crate::presence::{self, Presence};
use crate::process::{PROGRAM, Process};
use crate::snapshot::{Guest, Snapshot};
use crate::tags::TagSources;
use crate::wanted::Wanted;
use crate::whose::Whose;

/// The directory of libvirt's sockets.
const LIBVIRT: &str = "/run/libvirt";

/// Whether this host's own libvirt is running, or starts on connection.
pub fn is_there() -> bool {
    presence::is_there(Path::new(LIBVIRT))
}

/// The helper as an event loop sees it: a descriptor that stays the same, and a deadline.
///
/// Nothing here blocks. It starts nothing and wakes nobody until it is [wanted](Self::want). If
/// libvirt is not there, it gives up after [`RESTARTS`](crate::limits::RESTARTS) tries.
#[derive(Debug)]
pub struct Helper {
    programs: Vec<PathBuf>,
    arguments: Vec<OsString>,
    /// Contains `process` and `presence`, so that a loop need not care which of them exists.
    poll: OwnedFd,
    process: Option<Running>,
    presence: Option<Presence>,
    leaving: Option<Child>,
    /// Lines of the helper's standard error that nobody has taken: at most those of two chunks.
    errors: Vec<String>,
    /// When standard error is looked at again; `None` while it is waited for.
    errors_at: Option<Instant>,
    backoff: Backoff,
    wanted: Wanted,
    asks: u64,
    as_of: Option<Instant>,
    collector: Collector,
    snapshot: Arc<Snapshot>,
}

#[derive(Debug)]
struct Running {
    process: Process,
    since: Instant,
    is_known: bool,
    asked: Option<Asked>,
}

/// The request it has to answer; its initial report has the number 0.
#[derive(Debug)]
struct Asked {
    number: u64,
    since: Instant,
    until: Instant,
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
    /// A helper that is not started yet: the first of `programs` that exists, with these arguments.
    ///
    /// # Errors
    /// If there are no descriptors left.
    pub fn new(programs: Vec<PathBuf>, arguments: Vec<OsString>) -> io::Result<Self> {
        Ok(Self {
            programs,
            arguments,
            poll: epoll::create(CreateFlags::CLOEXEC)?,
            process: None,
            presence: None,
            leaving: None,
            errors: Vec::new(),
            errors_at: None,
            backoff: Backoff::default(),
            wanted: Wanted::default(),
            asks: 0,
            as_of: None,
            collector: Collector::default(),
            snapshot: Arc::new(Snapshot::down("libvirt was not asked yet", Arc::default())),
        })
    }

    /// Goes on with what another program's helper knew.
    pub(crate) fn set_known(
        &mut self,
        guests: BTreeMap<Uuid, Arc<Guest>>,
        hypervisor: Option<Hypervisor>,
        as_of: Option<Instant>,
    ) {
        self.collector = Collector::after(guests.clone());
        let whose = Arc::new(Whose::new(guests.values().map(|guest| &guest.domain)));
        self.snapshot = Arc::new(Snapshot { outage: None, hypervisor, guests, whose });
        self.as_of = as_of;
    }

    /// As if libvirt had said that.
    #[cfg(test)]
    pub(crate) fn set_snapshot(&mut self, snapshot: Snapshot, as_of: Instant) {
        self.snapshot = Arc::new(snapshot);
        self.as_of = Some(as_of);
    }

    /// The numbers of its processes that have not been waited for: of the one that runs, and of one that was ended.
    pub fn processes(&self) -> impl Iterator<Item = u32> {
        let runs = self.process.as_ref().map(|running| running.process.id());
        runs.into_iter().chain(self.leaving.as_ref().map(Child::id))
    }

    /// Starts it when libvirt appears, even if nobody asks.
    pub fn await_libvirt(&mut self) {
        self.presence = Presence::watch(Path::new(LIBVIRT)).filter(|presence| {
            epoll::add(&self.poll, presence, EventData::new_u64(0), EventFlags::IN).is_ok()
        });
    }

    /// What is currently known.
    pub fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// Lines that the helper has written to standard error, each bounded and printable, since this was called last: as often
    /// as a turn was given to it. How many of them are logged is up to the caller.
    pub fn take_errors(&mut self) -> Vec<String> {
        std::mem::take(&mut self.errors)
    }

    /// When the current data was requested: anything that came or went since may be missing from
    /// it. `None` if there was no answer yet.
    pub fn as_of(&self) -> Option<Instant> {
        self.as_of
    }

    /// Somebody asks for data from libvirt: if the helper is not running, the next
    /// [`Self::on_time`] starts it.
    pub fn want(&mut self, now: Instant) {
        if self.process.is_none() {
            self.backoff.want(now);
        }
    }

    /// Checks at once whether domains have come or gone. A socket appears some time before libvirt
    /// reports that its domain has started.
    pub fn look(&mut self, now: Instant) {
        self.want(now);
        self.wanted.look();
        self.ask(now);
    }

    /// Requests new figures of one live domain, or of all. Requests made while an answer is pending
    /// are combined into the next one.
    pub fn refresh(&mut self, of: Option<Uuid>, now: Instant) {
        self.want(now);
        self.wanted.figures(of);
        self.ask(now);
    }

    /// The same for several domains, in one request.
    pub fn refresh_each(&mut self, of: impl IntoIterator<Item = Uuid>, now: Instant) {
        self.want(now);
        of.into_iter().for_each(|domain| self.wanted.figures(Some(domain)));
        self.ask(now);
    }

    /// Looks for other tags: in what the running helper knows, and with these arguments in what the
    /// next one does.
    pub fn set_tag_sources(&mut self, sought: TagSources, arguments: Vec<OsString>, now: Instant) {
        self.arguments = arguments;
        if self.process.is_some() {
            self.wanted.tags(sought);
            self.ask(now);
        }
    }

    /// When to call [`Self::on_time`] if nothing happens before.
    pub fn next_deadline(&self) -> Option<Instant> {
        let asked = self.process.as_ref().and_then(|running| running.asked.as_ref());
        let reap = self.leaving.as_ref().and(self.backoff.not_before());
        let deadlines = [asked.map(|asked| asked.until), self.errors_at, self.backoff.due(), reap];
        deadlines.into_iter().flatten().min()
    }

    /// Call this when the descriptor is readable. Returns whether there is a new [`Snapshot`].
    #[must_use]
    pub fn on_ready(&mut self, now: Instant) -> bool {
        if let Some(presence) = &self.presence
            && presence.has_come(Path::new(LIBVIRT))
        {
            self.presence = None;
            self.backoff.begin_anew(now);
        }
        self.read_errors(now);
        match self.listen(now) {
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
        let process = match Process::start(&self.programs, &self.arguments) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(format!("{PROGRAM} is not installed"));
            }
            other => other.map_err(|error| format!("cannot start {PROGRAM}: {error}"))?,
        };
        let wait = epoll::add(&self.poll, &process, EventData::new_u64(0), EventFlags::IN);
        let asked = Some(Asked::new(0, now));
        self.process = Some(Running { process, since: now, is_known: false, asked });
        self.await_errors(now);
        wait.map_err(|error| format!("cannot wait for {PROGRAM}: {error}"))
    }

    /// Waits for what the helper writes to standard error.
    fn await_errors(&mut self, now: Instant) {
        let Some(running) = &mut self.process else { return };
        let (errors, data) = (running.process.errors(), EventData::new_u64(0));
        let is_awaited = epoll::add(&self.poll, errors, data, EventFlags::IN).is_ok();
        self.errors_at = (!is_awaited).then(|| now + ERRORS_EVERY);
    }

    /// Reads some of that, and no more for [`ERRORS_EVERY`].
    fn read_errors(&mut self, now: Instant) {
        let Some(running) = self.process.as_mut().filter(|_| self.errors_at.is_none()) else {
            return;
        };
        let found = running.process.errors().read(&mut self.errors);
        if found != Found::NothingYet {
            // Fails only where there was an end before.
            let _ = epoll::delete(&self.poll, running.process.errors());
            self.errors_at = (found == Found::Some).then(|| now + ERRORS_EVERY);
        }
    }

    /// Reads what has arrived. An error means that this helper is of no further use.
    fn listen(&mut self, now: Instant) -> Result<bool, String> {
        let Some(running) = &mut self.process else { return Ok(false) };
        let is_there = running.process.read().map_err(|error| format!("{PROGRAM}: {error}"))?;
        let mut is_new = false;
        while let Some(message) = running.process.next()? {
            if let Some(asked) = &mut running.asked {
                asked.go_on(now);
            }
            match message {
                Message::Hello { version: VERSION } => running.is_known = true,
                _ if !running.is_known => {
                    return Err(format!(
                        "{PROGRAM} has another release than this program: install both again"
                    ));
                }
                Message::Hello { .. } => {}
                Message::Domain(domain) => self.collector.domain(domain, now),
                Message::Gone(uuid) => self.collector.gone(uuid),
                Message::Reverted(uuid) => self.collector.reverted(uuid),
                Message::Figures(uuid, figures) => self.collector.figures(uuid, figures, now),
                Message::Hypervisor(hypervisor) => self.collector.hypervisor(hypervisor),
                Message::Down(why) => return Err(why),
                Message::Done(number) => {
                    let answered = running.asked.take_if(|asked| asked.number == number);
                    self.as_of = answered.map(|asked| asked.since).or(self.as_of);
                    // Before its first complete answer it knows only a part.
                    is_new |= running.asked.as_ref().is_none_or(|asked| asked.number != 0);
                }
            }
        }
        // Only once, however often it reports that it is done.
        if is_new {
            self.snapshot = Arc::new(self.collector.snapshot());
        }
        if is_there { Ok(is_new) } else { Err(format!("{PROGRAM} ended without an answer")) }
    }

    /// Requests what is wanted, unless an answer is still pending.
    fn ask(&mut self, now: Instant) {
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

    /// Ends the helper, and drops everything it reported but whose socket is whose: a conflict that
    /// was found is not over because nobody can be asked.
    fn end(&mut self, why: &str, now: Instant) {
        let since = self.process.as_ref().map_or(now, |running| running.since);
        if let Some(running) = &mut self.process {
            running.process.errors().read_last(&mut self.errors);
        }
        self.errors_at = None;
        self.leaving = self.process.take().map(|running| running.process.kill());
        self.backoff.failed(now.saturating_duration_since(since), now);
        self.wanted = Wanted::default();
        self.as_of = None;
        self.collector.clear(now);
        self.snapshot = Arc::new(Snapshot::down(why, Arc::clone(&self.snapshot.whose)));
        self.await_libvirt();
    }
}

impl Drop for Helper {
    /// It ends by itself when the socket is closed, unless it hangs.
    fn drop(&mut self) {
        if let Some(running) = self.process.take() {
            // The daemon is ending; whichever process inherits the child reaps it.
            let _ = running.process.kill().try_wait();
        }
    }
}

impl AsFd for Helper {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.poll.as_fd()
    }
}

#[cfg(test)]
mod tests;
