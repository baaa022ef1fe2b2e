//! Messages to the service manager, sd_notify(3), and what it hands over, sd_listen_fds(3). Without one, nothing is
//! sent and nothing comes.

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use rustix::io::FdFlags;

use sd_notify::NotifyState;

/// How long the daemon waits for a message to be taken: while the service manager takes none, any user can fill its socket.
const PATIENCE: Duration = Duration::from_millis(100);

/// Messages that wait longer at once, each in a thread.
const WAITING_MAX: usize = 4;

/// Enough for a thread that sends a message.
const STACK: usize = 64 * 1024;

static WAITING: AtomicUsize = AtomicUsize::new(0);

/// Guests are served from now on.
pub(crate) fn ready() {
    tell(|| sd_notify::notify(&[NotifyState::Ready]));
}

/// The daemon is about to end.
pub(crate) fn stopping() {
    tell(|| sd_notify::notify(&[NotifyState::Stopping]));
}

/// The loop is running.
pub(crate) fn alive() {
    tell(|| sd_notify::notify(&[NotifyState::Watchdog]));
}

/// How often the service manager expects [`alive`]: twice within its timeout.
pub(crate) fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|within| within / 2)
}

/// Has a descriptor kept under that name, which is at most 255 characters without `:`, until [`forget`]: the next
/// start of the daemon gets it by [`handed_over`], also where this one crashes. The unit bounds how many are. Waits until
/// it is taken: call it in one of `aside`'s threads.
pub(crate) fn keep(name: &str, fd: impl AsFd) {
    let what = [NotifyState::FdStore, NotifyState::FdName(name)];
    log(sd_notify::notify_with_fds(&what, &[fd.as_fd()]));
}

/// Has it kept no longer.
pub(crate) fn forget(name: &str) {
    let name = name.to_owned();
    tell(move || sd_notify::notify(&[NotifyState::FdStoreRemove, NotifyState::FdName(&name)]));
}

/// The descriptors that were kept, or that come with a socket of the service manager's, with their names. To be called
/// once: they are whoever's who calls it.
pub(crate) fn handed_over() -> Vec<(String, OwnedFd)> {
    let fds = sd_listen_fds::get().unwrap_or_else(|error| {
        tracing::warn!("nothing is taken over from the service manager: {error}");
        Vec::new()
    });
    fds.into_iter()
        .map(|(name, fd)| (name.unwrap_or_default(), fd.into_std()))
        // Not for the programs that the daemon starts.
        .filter(|(_, fd)| rustix::io::fcntl_setfd(fd, FdFlags::CLOEXEC).is_ok())
        .collect()
}

/// Sends a message in a thread, which waits in a line with others who send one.
fn tell(send: impl FnOnce() -> io::Result<()> + Send + 'static) {
    let (say, said) = channel();
    let send = move || {
        let sent = send();
        WAITING.fetch_sub(1, Ordering::Relaxed);
        // Nobody may wait any more.
        drop(say.send(sent));
    };
    let thread = thread::Builder::new().name("notify".to_owned()).stack_size(STACK);
    let before = WAITING.fetch_add(1, Ordering::Relaxed);
    let started = match before < WAITING_MAX {
        true => thread.spawn(send),
        false => Err(ErrorKind::TimedOut.into()),
    };
    match started {
        // If it is taken later, that is as good.
        Ok(_) => said.recv_timeout(PATIENCE).into_iter().for_each(log),
        Err(error) => {
            WAITING.fetch_sub(1, Ordering::Relaxed);
            log(Err(error));
        }
    }
}

fn log(told: io::Result<()>) {
    if let Err(error) = told {
        tracing::warn!("cannot notify the service manager: {error}");
    }
}
