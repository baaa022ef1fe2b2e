//! Waiting for what libvirt reports, and for the signals that end the program.

use std::env::current_exe;
use std::ffi::OsString;
use std::io;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use hostinfo_domains::{FailureKind, Helper, Snapshot, TagSources, Unanswered, programs};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level::pipe;

use crate::args::Options;
use crate::change::on_interrupt;
use crate::exit::Failure;

/// Set by the signals of [`on_interrupt`], which also end a wait.
pub(super) struct Stop {
    is_set: Arc<AtomicBool>,
    wake: UnixStream,
}

impl Stop {
    /// Catches the signals from now on.
    ///
    /// # Errors
    /// [`Failure::Refused`].
    pub(super) fn catch() -> Result<Self, Failure> {
        let is_set = on_interrupt()?;
        let wake = wake().map_err(|error| refused("no signal handler", &error))?;
        Ok(Self { is_set, wake })
    }

    pub(super) fn is_set(&self) -> bool {
        self.is_set.load(Ordering::Relaxed)
    }
}

/// Readable once a signal has come.
fn wake() -> io::Result<UnixStream> {
    let (ours, handlers) = UnixStream::pair()?;
    for signal in [SIGINT, SIGHUP, SIGTERM] {
        pipe::register(signal, handlers.try_clone()?)?;
    }
    Ok(ours)
}

/// The helper that reports which domains there are, over a read-only connection of its own. It is
/// started again whenever it ends, and then reports everything from the beginning.
pub(super) struct Reporter(Helper);

impl Reporter {
    /// Starts it. `sought`: the tags to report.
    ///
    /// # Errors
    /// [`Failure::Refused`]: no descriptors are left.
    pub(super) fn start(options: &Options, sought: &TagSources) -> Result<Self, Failure> {
        let arguments: [OsString; 6] = [
            "--connect".into(),
            options.connect.clone().into(),
            "--socket-dir".into(),
            options.directory.clone().into(),
            "--tags".into(),
            sought.to_json().into(),
        ];
        let own = current_exe().map_err(|error| refused("this program's path", &error))?;
        let helper = Helper::new(programs(&own), arguments.into());
        Ok(Self(helper.map_err(|error| refused("libvirt cannot be asked", &error))?))
    }

    /// The last report.
    pub(super) fn snapshot(&self) -> &Arc<Snapshot> {
        self.0.snapshot()
    }

    /// Why there is no report; `None` if libvirt answers. `uri`: how it is reached.
    pub(super) fn outage(&self, uri: &str) -> Option<Failure> {
        let (kind, words) = (FailureKind::Unreachable, self.0.snapshot().outage()?.to_owned());
        let why = Unanswered::Failed(hostinfo_domains::Failure { kind, words });
        Some(Failure::Libvirt { uri: uri.to_owned(), why })
    }

    /// When the last report was asked for: see [`Helper::as_of`].
    pub(super) fn as_of(&self) -> Option<Instant> {
        self.0.as_of()
    }

    /// What it has written to standard error since this was called last.
    pub(super) fn take_errors(&mut self) -> Vec<String> {
        self.0.take_errors()
    }

    /// Asks which domains there are now.
    pub(super) fn look(&mut self, now: Instant) {
        self.0.look(now);
    }

    /// Waits for a report, for a signal, and at the longest until that time. Returns whether there
    /// is a new report.
    ///
    /// # Errors
    /// [`Failure::Refused`].
    pub(super) fn wait(&mut self, stop: &Stop, until: Option<Instant>) -> Result<bool, Failure> {
        let Self(helper) = self;
        let now = Instant::now();
        // While libvirt is away, this makes the helper try again, every 10 s at the most.
        helper.want(now);
        let until = [until, helper.next_deadline()].into_iter().flatten().min();
        let wait = until.map(|until| until.saturating_duration_since(now));
        // A wait that is too long for the kernel has no end.
        let wait = wait.and_then(|wait| Timespec::try_from(wait).ok());
        let mut polled =
            [PollFd::new(&*helper, PollFlags::IN), PollFd::new(&stop.wake, PollFlags::IN)];
        match poll(&mut polled, wait.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(refused("cannot wait for libvirt", &error.into())),
        }
        let is_ready = polled.first().is_some_and(|helper| !helper.revents().is_empty());
        let now = Instant::now();
        // What has arrived comes first: while a domain was changed, a deadline may have passed although
        // the answer is there.
        let is_new = is_ready && helper.on_ready(now);
        Ok(helper.on_time(now) || is_new)
    }
}

fn refused(what: &str, error: &io::Error) -> Failure {
    Failure::Refused(format!("{what}: {error}"))
}
