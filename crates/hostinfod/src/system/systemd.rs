//! Messages to the service manager, sd_notify(3). Without one, nothing is sent.

use std::time::Duration;

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

fn tell(what: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(what) {
        tracing::warn!("cannot notify the service manager: {error}");
    }
}
