//! Events that a VMM makes at will. libvirtd passes them on as fast as it reads them, and its queue for a client takes
//! longer with each message in it: 100,000 in 5 s kept libvirtd 9.0 from answering anybody for minutes. Before all others
//! that are received, libvirtd writes the domain's status to a file, which is slower than sending, or an administrator
//! causes them.

use std::ffi::{c_int, c_void};
use std::ptr::from_ref;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use virt_sys as sys;
use virt_sys::virConnectPtr;

/// As many are received in [`WINDOW`], of all domains together. Others are lost.
const AT_MOST: u32 = 1000;

/// From the first of them on.
const WINDOW: Duration = Duration::from_secs(10);

/// One such event, which is not received while its quota is used up.
pub(super) struct AtWill {
    /// Has libvirt report it. Returns its number of that, negative if there is none.
    receive: fn() -> c_int,
    registration: Mutex<Registration>,
}

struct Registration {
    /// libvirt's number of it; negative while there is none.
    id: c_int,
    quota: Quota,
}

impl AtWill {
    pub(super) const fn new(receive: fn() -> c_int) -> Self {
        let quota = Quota { begun: None, count: 0 };
        Self { receive, registration: Mutex::new(Registration { id: -1, quota }) }
    }

    /// It is received from now on. Returns whether libvirt reports it at all.
    pub(super) fn begin(&self) -> bool {
        let id = (self.receive)();
        self.registration().id = id;
        id >= 0
    }

    /// One has been received by that connection. If that was the last of the quota, no more are until the window is over.
    pub(super) fn received(&'static self, connect: virConnectPtr) {
        let mut registration = self.registration();
        let Some(pause) = registration.quota.used_up_by(Instant::now()) else { return };
        let pause = c_int::try_from(pause.as_millis()).unwrap_or(c_int::MAX);
        // SAFETY: libvirt lends the connection to the callback, which may end its own registration. What the timer gets
        // lives as long as the program.
        unsafe {
            sys::virConnectDomainEventDeregisterAny(connect, registration.id);
            sys::virEventAddTimeout(pause, Some(again), from_ref(self).cast_mut().cast(), None);
        }
    }

    fn registration(&self) -> MutexGuard<'_, Registration> {
        self.registration.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The window of an event is over.
extern "C" fn again(timer: c_int, event: *mut c_void) {
    // SAFETY: the timer is libvirt's, and it was given this event, which lives as long as the program.
    let event = unsafe {
        sys::virEventRemoveTimeout(timer);
        &*event.cast::<AtWill>()
    };
    event.begin();
}

/// How many there have been.
struct Quota {
    begun: Option<Instant>,
    count: u32,
}

impl Quota {
    /// How long there may be no more, if one more uses it up.
    fn used_up_by(&mut self, now: Instant) -> Option<Duration> {
        let begun = match self.begun {
            Some(begun) if now < begun + WINDOW => begun,
            _ => {
                self.count = 0;
                *self.begun.insert(now)
            }
        };
        self.count += 1;
        (self.count == AT_MOST).then(|| begun + WINDOW - now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_in_ten_seconds_use_the_quota_up_until_these_are_over() {
        let begun = Instant::now();
        let mut quota = Quota { begun: None, count: 0 };
        let second = Duration::from_secs(1);
        for at in [begun, begun + WINDOW] {
            assert!((1..AT_MOST).all(|_| quota.used_up_by(at).is_none()));
            assert_eq!(quota.used_up_by(at + second), Some(WINDOW - second));
            assert_eq!(quota.used_up_by(at + second), None, "it was deregistered");
        }
    }
}
