//! As much of epoll(7) as the daemon needs.

use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use hostinfo_peer::Epoll;
use rustix::event::Timespec;
use rustix::event::epoll::{self, Event, EventData, EventFlags};

/// What is waited for on a descriptor. That the other end is gone is reported in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interest {
    /// There is something to read.
    Read,
    /// There is room to write.
    Write,
    /// Nothing.
    None,
}

/// Descriptors that are waited for.
pub(crate) struct Poll {
    epoll: Epoll,
    events: Vec<Event>,
}

/// Events taken from the kernel at a time.
const EVENTS: usize = 256;

impl Poll {
    /// Waits for nothing yet.
    ///
    /// # Errors
    /// No descriptors are left.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { epoll: Epoll::new()?, events: Vec::with_capacity(EVENTS) })
    }

    /// For a part of the daemon that adds its descriptors itself, all with this token.
    pub(crate) fn of_part(&self, token: u64) -> Epoll {
        self.epoll.of_part(token)
    }

    /// Waits for `fd` from now on, until it is closed.
    ///
    /// # Errors
    /// The kernel has no room (max_user_watches), or `fd` cannot be waited for.
    pub(crate) fn add(&self, fd: impl AsFd, token: u64, interest: Interest) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, fd, EventData::new_u64(token), flags(interest))?)
    }

    /// Changes what is waited for on `fd`.
    ///
    /// # Errors
    /// `fd` was not added.
    pub(crate) fn modify(&self, fd: impl AsFd, token: u64, interest: Interest) -> io::Result<()> {
        Ok(epoll::modify(&self.epoll, fd, EventData::new_u64(token), flags(interest))?)
    }

    /// Sleeps until a descriptor is ready or `until` is past. Returns, for each ready descriptor,
    /// the token given to [`Poll::add`], and whether the other end is gone or the descriptor is
    /// broken.
    ///
    /// # Errors
    /// Those of epoll_wait(2), except an interruption by a signal.
    pub(crate) fn wait(
        &mut self,
        until: Option<Instant>,
    ) -> io::Result<impl Iterator<Item = (u64, bool)>> {
        self.events.clear();
        let timeout =
            until.map(|until| milliseconds(until.saturating_duration_since(Instant::now())));
        match epoll::wait(
            &self.epoll,
            rustix::buffer::spare_capacity(&mut self.events),
            timeout.as_ref(),
        ) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let hung_up = EventFlags::HUP | EventFlags::ERR;
        Ok(self
            .events
            .iter()
            .map(move |&Event { flags, data }| (data.u64(), flags.intersects(hung_up))))
    }
}

/// Rounded up to the milliseconds of epoll_pwait(2). Otherwise the daemon would wake too early and
/// spin.
fn milliseconds(wait: Duration) -> Timespec {
    let millis = wait.as_nanos().div_ceil(1_000_000);
    let millis = u64::try_from(millis).unwrap_or(u64::MAX).min(60 * 60 * 1000);
    Timespec::try_from(Duration::from_millis(millis)).unwrap_or_default()
}

fn flags(interest: Interest) -> EventFlags {
    match interest {
        Interest::Read => EventFlags::IN,
        Interest::Write => EventFlags::OUT,
        Interest::None => EventFlags::empty(),
    }
}
