//! Figures in sentences, as far as the guest may see them.

use std::time::Duration;

use hostinfo_catalog::StatId;
use hostinfo_domains::limits::DEV_MAX;
use hostinfo_wire::name::is_segment;

use crate::share::Share;
use crate::verdict::{State, Verdict};
use crate::{Interval, Permits};

/// What the sentences about one window may reveal to this guest.
#[derive(Clone, Copy)]
pub(crate) struct Words<'a> {
    permits: Permits<'a>,
    /// Length of what the sentence is about: the window, or a burst in it.
    length: Duration,
    burst: Option<Burst>,
}

/// A part of the window that the sentence is about.
#[derive(Clone, Copy)]
struct Burst {
    window: Duration,
    is_told: bool,
}

impl<'a> Words<'a> {
    pub(crate) fn new(permits: Permits<'a>, length: Duration) -> Self {
        Self { permits, length, burst: None }
    }

    /// The same for a burst of this length. `is_told`: whether the guest may know the length.
    pub(crate) fn of_burst(self, length: Duration, is_told: bool) -> Self {
        let burst = Burst { window: self.length, is_told };
        Self { length, burst: Some(burst), ..self }
    }

    /// Length of what the sentence is about.
    pub(crate) fn length(&self) -> Duration {
        self.length
    }

    /// The verdict with that reason.
    pub(crate) fn verdict(self, state: State, reason: impl Into<String>) -> Verdict {
        let reason = reason.into();
        let reason = match self.burst {
            Some(Burst { window, is_told: true }) => {
                let (burst, window) = (seconds(self.length), seconds(window));
                format!("for {burst} of the last {window}, {reason}")
            }
            Some(Burst { window, is_told: false }) => {
                format!("for part of the last {}, {reason}", seconds(window))
            }
            None => reason,
        };
        Verdict::new(state, reason)
    }

    /// Whether a figure that is computed from all these statistics may be named.
    pub(crate) fn may_name(&self, stats: &[StatId]) -> bool {
        stats.iter().all(|stat| (self.permits)(*stat, None))
    }

    pub(crate) fn may_name_of(&self, stat: StatId, instance: &str) -> bool {
        (self.permits)(stat, Some(instance))
    }

    /// `31% of the last 60 s`, or `part of the last 60 s` if the figure may not be named.
    pub(crate) fn share(&self, share: Share, stats: &[StatId]) -> String {
        let window = self.window();
        if self.may_name(stats) {
            format!("{share} of {window}")
        } else {
            format!("part of {window}")
        }
    }

    /// `the last 60 s`, or `that time` for a burst.
    pub(crate) fn window(&self) -> String {
        match self.burst {
            Some(_) => "that time".to_owned(),
            None => format!("the last {}", seconds(self.length)),
        }
    }

    /// Why there are no figures of devices of that kind. The guest's tool takes a reason that begins with `this host`
    /// for a lasting one.
    pub(crate) fn untold(&self, devices: &str, interval: &Interval<'_>) -> String {
        match interval.are_devices_coming {
            true => format!(
                "for now there are no figures of your {devices}: libvirt gave this host none in {}",
                self.window()
            ),
            false => {
                format!("this host has no figures of your {devices}: they come from libvirt")
            }
        }
    }

    /// `; tasks of the host waited for a CPU 88% of that time`, if the guest may know.
    pub(crate) fn pressure(&self, stall: Option<Duration>, what: &str, stat: StatId) -> String {
        match stall {
            Some(stall) if self.may_name(&[stat]) => {
                let share = Share::of(stall, self.length);
                format!("; tasks of the host waited for {what} {share} of that time")
            }
            _ => String::new(),
        }
    }

    /// `your disk vda` if the guest may see that statistic of it, or else `one of your disks`.
    pub(crate) fn device(&self, what: &str, name: &str, stat: StatId) -> String {
        if self.may_name_of(stat, name) && is_device(name) {
            format!("your {what} {name}")
        } else {
            format!("one of your {what}s")
        }
    }
}

/// Whether a guest's device can be named in a sentence.
pub(crate) fn is_device(name: &str) -> bool {
    is_segment(name) && name.len() <= DEV_MAX
}

fn seconds(time: Duration) -> String {
    format!("{} s", time.as_millis().saturating_add(500) / 1000)
}

/// `1.5 GiB`.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [(&str, u64); 4] =
        [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match UNITS.into_iter().find(|(_, size)| bytes >= *size) {
        Some((unit, size)) => {
            let tenths = u128::from(bytes) * 10 / u128::from(size);
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        }
        None => format!("{bytes} bytes"),
    }
}

/// `45.3 ms`.
pub(crate) fn millis(time: Duration) -> String {
    let tenths = time.as_micros() / 100;
    format!("{}.{} ms", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::stats::DISK_LATENCY;

    #[test]
    fn figures_are_short() {
        assert_eq!([bytes(0), bytes(1023)], ["0 bytes", "1023 bytes"]);
        assert_eq!([bytes(1024), bytes(3 << 29)], ["1.0 KiB", "1.5 GiB"]);
        assert_eq!(bytes(u64::MAX), "16777215.9 TiB");
        assert_eq!(millis(Duration::from_micros(45_390)), "45.3 ms");
    }

    #[test]
    fn a_device_is_named_only_by_what_is_a_name_and_may_be_seen() {
        let words = |permits| Words::new(permits, Duration::ZERO);
        let disk = |permits, name| words(permits).device("disk", name, DISK_LATENCY);
        assert_eq!(disk(&|_, disk| disk == Some("vda"), "vda"), "your disk vda");
        assert_eq!(disk(&|_, _| false, "vda"), "one of your disks");
        for odd in ["a\nb", "", &"x".repeat(33)] {
            assert_eq!(disk(&|_, _| true, odd), "one of your disks");
        }
    }
}
