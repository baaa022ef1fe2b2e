//! The daemon's side of the helper.

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
use crate::board::Board;
use crate::limits::{ANSWER_DEADLINE, DEADLINE};
use crate::message::{Message, VERSION};
use crate::presence::{self, Presence};
use crate::process::{PROGRAM, Process};
use crate::snapshot::Snapshot;
use crate::wanted::Wanted;

/// Where libvirt's sockets are.
const LIBVIRT: &str = "/run/libvirt";

/// Whether this host's own libvirt is there, or can be started by whoever connects to it.
pub fn is_there() -> bool {
    presence::is_there(Path::new(LIBVIRT))
}

/// The helper as an event loop sees it: a descriptor that stays the same, and a time.
///
/// Nothing here waits. It starts nothing and wakes nobody until it was [wanted](Self::want), and
/// where libvirt is not there, no more after [`RESTARTS`](crate::limits::RESTARTS) tries.
#[derive(Debug)]
pub struct Helper {
    programs: Vec<PathBuf>,
    arguments: Vec<OsString>,
    /// Holds `process` and `presence`, so that a loop need not care which of them there is.
    poll: OwnedFd,
    process: Option<Running>,
    presence: Option<Presence>,
    leaving: Option<Child>,
    backoff: Backoff,
    wanted: Wanted,
    asks: u64,
    as_of: Option<Instant>,
    board: Board,
    snapshot: Arc<Snapshot>,
}

#[derive(Debug)]
struct Running {
    process: Process,
    since: Instant,
    is_known: bool,
    asked: Option<Asked>,
}

/// What it has to answer; its first words have the number 0.
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

    /// Some of the answer has come.
    fn go_on(&mut self, now: Instant) {
        self.until = (now + DEADLINE).min(self.since + ANSWER_DEADLINE);
    }

    /// Why the time is over.
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
    /// A helper that is not started yet: the first of `programs` that is there, with these
    /// arguments.
    ///
    /// # Errors
    /// Where there are no descriptors left.
    pub fn new(programs: Vec<PathBuf>, arguments: Vec<OsString>) -> io::Result<Self> {
        Ok(Self {
            programs,
            arguments,
            poll: epoll::create(CreateFlags::CLOEXEC)?,
            process: None,
            presence: None,
            leaving: None,
            backoff: Backoff::default(),
            wanted: Wanted::default(),
            asks: 0,
            as_of: None,
            board: Board::default(),
            snapshot: Arc::new(Snapshot::down("libvirt was not asked yet")),
        })
    }

    /// Has it started when libvirt comes, without anybody asking.
    pub fn await_libvirt(&mut self) {
        self.presence = Presence::watch(Path::new(LIBVIRT)).filter(|presence| {
            epoll::add(&self.poll, presence, EventData::new_u64(0), EventFlags::IN).is_ok()
        });
    }

    /// What is known.
    pub fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// When that was asked for: what has come or gone since need not be in it. `None` where nothing
    /// was answered.
    pub fn as_of(&self) -> Option<Instant> {
        self.as_of
    }

    /// Somebody asks for what libvirt knows: the helper is started where it is not there, by the
    /// next [`Self::on_time`].
    pub fn want(&mut self, now: Instant) {
        if self.process.is_none() {
            self.backoff.want(now);
        }
    }

    /// Has it look at once whether domains have come or gone. A socket is there some time before
    /// libvirt tells that its domain has started.
    pub fn look(&mut self, now: Instant) {
        self.want(now);
        self.wanted.look();
        self.ask(now);
    }

    /// Asks for new figures of a live domain, or of all. What is wanted while an answer is
    /// awaited is asked for together after it.
    pub fn refresh(&mut self, of: Option<Uuid>, now: Instant) {
        self.want(now);
        self.wanted.figures(of);
        self.ask(now);
    }

    /// The same of several domains, in one request.
    pub fn refresh_each(&mut self, of: impl IntoIterator<Item = Uuid>, now: Instant) {
        self.want(now);
        of.into_iter().for_each(|domain| self.wanted.figures(Some(domain)));
        self.ask(now);
    }

    /// When [`Self::on_time`] is to be called, if nothing comes before.
    pub fn next_deadline(&self) -> Option<Instant> {
        let asked = self.process.as_ref().and_then(|running| running.asked.as_ref());
        let reap = self.leaving.as_ref().and(self.backoff.not_before());
        [asked.map(|asked| asked.until), self.backoff.due(), reap].into_iter().flatten().min()
    }

    /// The descriptor has something to read. Says whether there is a new [`Snapshot`].
    #[must_use]
    pub fn on_ready(&mut self, now: Instant) -> bool {
        if let Some(presence) = &self.presence
            && presence.has_come(Path::new(LIBVIRT))
        {
            self.presence = None;
            self.backoff.begin_anew(now);
        }
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

    /// A time has come. Says whether there is a new [`Snapshot`].
    #[must_use]
    pub fn on_time(&mut self, now: Instant) -> bool {
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
        wait.map_err(|error| format!("cannot wait for {PROGRAM}: {error}"))
    }

    /// Hears what has come; an error where this helper is of no use any more.
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
                    return Err(format!("{PROGRAM} is not of the same release as hostinfod"));
                }
                Message::Hello { .. } => {}
                Message::Domain(domain) => self.board.domain(domain, now),
                Message::Gone(uuid) => self.board.gone(uuid),
                Message::Reverted(uuid) => self.board.reverted(uuid),
                Message::Figures(uuid, figures) => self.board.figures(uuid, figures, now),
                Message::Hypervisor(hypervisor) => self.board.hypervisor(hypervisor),
                Message::Down(why) => return Err(why),
                Message::Done(number) => {
                    let answered = running.asked.take_if(|asked| asked.number == number);
                    self.as_of = answered.map(|asked| asked.since).or(self.as_of);
                    // Before its first whole answer it knows only a part.
                    is_new |= running.asked.as_ref().is_none_or(|asked| asked.number != 0);
                }
            }
        }
        // Once, however often it says that it is done.
        if is_new {
            self.snapshot = Arc::new(self.board.snapshot());
        }
        if is_there { Ok(is_new) } else { Err(format!("{PROGRAM} ended without an answer")) }
    }

    /// Asks what is wanted, unless it has something to answer.
    fn ask(&mut self, now: Instant) {
        let Some(running) = &mut self.process else { return };
        if running.asked.is_some() {
            return;
        }
        let number = self.asks + 1;
        let Some(ask) = self.wanted.take(number) else { return };
        self.asks = number;
        // One that does not take it is found out by the deadline.
        let _ = running.process.ask(&ask);
        running.asked = Some(Asked::new(number, now));
    }

    /// Ends it, and what it told with it.
    fn end(&mut self, why: &str, now: Instant) {
        let since = self.process.as_ref().map_or(now, |running| running.since);
        self.leaving = self.process.take().map(|running| running.process.kill());
        self.backoff.failed(now.saturating_duration_since(since), now);
        self.wanted = Wanted::default();
        self.as_of = None;
        self.board.clear(now);
        self.snapshot = Arc::new(Snapshot::down(why));
        self.await_libvirt();
    }
}

impl Drop for Helper {
    /// It ends by itself when the socket is closed, unless it hangs.
    fn drop(&mut self) {
        if let Some(running) = self.process.take() {
            // The daemon ends, and whoever comes after it waits for what is left.
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
