//! Messages to the service manager, sd_notify(3), and what it hands over, sd_listen_fds(3). Without one, nothing is
//! sent and nothing comes.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::io::FdFlags;

use sd_notify::NotifyState;

/// Guests are served from now on.
pub(crate) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The daemon is about to end.
pub(crate) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// The loop is running.
pub(crate) fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// How often the service manager expects [`alive`]: twice within its timeout.
pub(crate) fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|within| within / 2)
}

/// Has a descriptor kept under that name, which is at most 255 characters without `:`, until [`forget`]: the next
/// start of the daemon gets it by [`handed_over`], also where this one crashes. The unit bounds how many are.
pub(crate) fn keep(name: &str, fd: impl AsFd) {
    let what = [NotifyState::FdStore, NotifyState::FdName(name)];
    log(sd_notify::notify_with_fds(&what, &[fd.as_fd()]));
}

/// Has it kept no longer.
pub(crate) fn forget(name: &str) {
    tell(&[NotifyState::FdStoreRemove, NotifyState::FdName(name)]);
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

fn tell(what: &[NotifyState<'_>]) {
    log(sd_notify::notify(what));
}

fn log(told: io::Result<()>) {
    if let Err(error) = told {
        tracing::warn!("cannot notify the service manager: {error}");
    }
}
