//! Reports of crashes (`GUEST_CRASHLOADED`), which a guest that has a panic device makes as often as it likes, as does a VMM
//! that was taken over. libvirtd passes them on as they come, but throws its queue away when the client's connection ends.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hostinfo_domains::Uuid;

/// So many reports of one domain within [`WINDOW`] are a flood. A guest crashes once, and with a crash kernel twice.
/// Ended after 300, the connection was no trouble to libvirtd; unregistering the event after 100 came too late.
const FLOOD: u32 = 20;

/// From the first report on, of whichever domain.
const WINDOW: Duration = Duration::from_secs(10);

/// Reports in the current window: at most one entry for each domain.
#[derive(Debug)]
pub(super) struct Crashes {
    begun: Option<Instant>,
    of: BTreeMap<Uuid, u32>,
}

impl Crashes {
    pub(super) const fn new() -> Self {
        Self { begun: None, of: BTreeMap::new() }
    }

    /// Counts another report of a domain. Returns whether it is a flood.
    pub(super) fn is_flood(&mut self, domain: Uuid, now: Instant) -> bool {
        if self.begun.is_none_or(|begun| now >= begun + WINDOW) {
            *self = Self { begun: Some(now), of: BTreeMap::new() };
        }
        let count = self.of.entry(domain).or_default();
        *count += 1;
        *count >= FLOOD
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_that_crashes_again_and_again_within_seconds_is_a_flood_and_many_that_crash_once_are_none()
     {
        let (mut crashes, begun) = (Crashes::new(), Instant::now());
        assert!((0..1000).all(|number| !crashes.is_flood(Uuid::from_u128(number), begun)));
        let mut again = |at| crashes.is_flood(Uuid::from_u128(1), at);
        assert!((2..FLOOD).all(|_| !again(begun)));
        assert!(!again(begun + WINDOW), "a window of its own");
        assert!((2..FLOOD).all(|_| !again(begun + WINDOW)));
        assert!(again(begun + WINDOW));
    }
}
