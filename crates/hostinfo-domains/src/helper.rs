//! The daemon's side of the helper.

mod turn;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::Arc;
use std::time::Instant;

use hostinfo_peer::{Epoll, Unclosed};
use uuid::Uuid;

use crate::backoff::Backoff;
use crate::collector::Collector;
use crate::message::Hypervisor;
use crate::presence::{self, Presence};
use crate::snapshot::{Guest, Snapshot};
use crate::tags::TagSources;
use crate::wanted::Wanted;
use crate::whose::Whose;
use turn::Running;

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
    /// Has `process`, its standard error, and `presence`, so that a loop need not care which of them exists.
    poll: Epoll,
    /// None of them is in it.
    is_paused: bool,
    process: Option<Running>,
    presence: Option<Presence>,
    leaving: Option<Child>,
    /// What its processes have left to be closed. While there is something, no other one is started.
    unclosed: Unclosed,
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

impl Helper {
    /// A helper that is not started yet: the first of `programs` that exists, with these arguments.
    ///
    /// # Errors
    /// If there are no descriptors left.
    pub fn new(programs: Vec<PathBuf>, arguments: Vec<OsString>) -> io::Result<Self> {
        Ok(Self {
            programs,
            arguments,
            poll: Epoll::new()?,
            is_paused: false,
            process: None,
            presence: None,
            leaving: None,
            unclosed: Unclosed::default(),
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
        self.presence = Presence::watch(Path::new(LIBVIRT))
            .filter(|presence| self.is_paused || self.poll.add(presence).is_ok());
    }

    /// Waits with `epoll` from now on, and not as an `AsFd`.
    ///
    /// # Errors
    /// The kernel has no room for it.
    pub fn wait_with(&mut self, epoll: Epoll) -> io::Result<()> {
        self.pause();
        self.poll = epoll;
        self.resume()
    }

    /// Nothing is waited for, and nothing is read, until [`Self::resume`].
    pub fn pause(&mut self) {
        self.is_paused = true;
        self.presence.iter().for_each(|presence| self.poll.delete(presence));
        if let Some(running) = &mut self.process {
            self.poll.delete(&running.process);
            self.poll.delete(running.process.errors());
        }
    }

    /// Ends a pause.
    ///
    /// # Errors
    /// The kernel has no room for what is to be waited for.
    pub fn resume(&mut self) -> io::Result<()> {
        if !std::mem::replace(&mut self.is_paused, false) {
            return Ok(());
        }
        self.presence.iter().try_for_each(|presence| self.poll.add(presence))?;
        let Some(running) = &mut self.process else { return Ok(()) };
        self.poll.add(&running.process)?;
        match self.errors_at {
            None => Ok(self.poll.add(running.process.errors())?),
            Some(_) => Ok(()),
        }
    }

    /// What is currently known.
    pub fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// The lines that the helper has written to standard error since the last call, each bounded and printable. To be called
    /// after each turn of the helper. How many of them are logged is up to the caller.
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
