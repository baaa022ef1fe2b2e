//! What the service manager is told, sd_notify(3). Without one, nothing is.

use std::time::Duration;

use sd_notify::NotifyState;

/// Tells that guests are served.
pub(crate) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// Tells that the end has come.
pub(crate) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Tells that the loop goes round.
pub(crate) fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// How often the service manager wants to be told so: twice in the time that it waits.
pub(crate) fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|within| within / 2)
}

fn tell(what: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(what) {
        tracing::warn!("cannot notify the service manager: {error}");
    }
}
