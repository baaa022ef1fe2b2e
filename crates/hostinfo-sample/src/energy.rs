//! `/sys/class/powercap/intel-rapl:*`: how much energy the host's CPUs used, and a guest's share of
//! it.
//!
//! RAPL only measures whole packages. What they used while it was measured is shared out by CPU time:
//! a guest whose vCPUs had a tenth of the host's busy CPU time gets a tenth.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::counter::{Pace, gain_around};
use crate::machine::Machine;
use crate::open_files::Reader;
use crate::root::{Roots, numbered};
use crate::text::only_number;
use crate::{Absent, Moment, machine};

/// The host may still have one: a machine without RAPL looks like one without the module.
const LACK: Absent = Absent::optional(
    "this host does not measure energy",
    "load the module intel_rapl_msr: Intel's CPUs have RAPL since 2011, AMD's since Zen",
);
/// A virtual machine, or CPUs without RAPL.
const NO_METER: Absent = Absent::unsupported("this host has no energy meter");
/// Only root may read it since Linux 5.10, against PLATYPUS (CVE-2020-8694): frequent readings
/// reveal what other programs do. So if a host has no rule that permits it, its owner wants it so.
const DENIED: Absent = Absent::optional(
    "this host's energy meter is for its root alone",
    "install the udev rule 70-hostinfo.rules, which gives energy_uj to the group hostinfo, then run \
     `udevadm control --reload && udevadm trigger --subsystem-match=powercap`; see hostinfod(8)",
);
const UNTOLD: Absent = Absent::untold("energy_uj of a package holds no number");

/// How many zones are read: the packages of the largest hosts, and as many zones of other kinds.
const ZONES_MAX: usize = 128;

/// The packages' counters, and their sum.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Meter {
    last: BTreeMap<u32, (u64, Moment)>,
    micros: u64,
}

/// The most a package is believed to use: 10 kW; the largest use 1 kW. More than that comes from a
/// counter that fell and was mistaken for one that wrapped around.
const PACE: Pace = Pace(10_000_000_000);

/// What all packages used since their first reading, in millionths of a joule.
///
/// In each zone `intel-rapl:0`, `name` is `package-0`, `energy_uj` a counter such as
/// `261893412305`, and `max_energy_range_uj` the highest value it reaches, such as `262143328850`:
/// at 200 W it wraps around after 22 minutes. If it was not read for longer, the result is too low.
pub(crate) fn read(
    roots: &Reader,
    at: Moment,
    buffer: &mut Vec<u8>,
    meter: &mut Meter,
) -> Result<u64, Absent> {
    let zones = match numbered(roots.sys.join("class/powercap"), "intel-rapl:", ZONES_MAX) {
        Ok(zones) => zones,
        Err(error) => return Err(error.or(lack(roots, buffer))),
    };
    let mut packages = Vec::new();
    for zone in zones {
        let mut file = |name: &str| {
            let file = format!("class/powercap/intel-rapl:{}/{name}", zone.number);
            roots.sys(file, buffer).map(<[u8]>::to_vec)
        };
        // psys is the whole machine, including its packages.
        if file("name").is_ok_and(|name| name.starts_with(b"package-")) {
            let range = file("max_energy_range_uj").ok().and_then(|text| only_number(&text));
            packages.push((zone.number, file("energy_uj"), range.unwrap_or(0)));
        }
    }
    if packages.is_empty() {
        return Err(lack(roots, buffer));
    }
    // Some packages without the others would be too little.
    let count = packages.len();
    for (zone, text, range) in packages {
        let text = text.map_err(|error| match error.is_denied() {
            true => DENIED.because(&error).of(count),
            false => error.or(LACK).of(count),
        });
        meter.count(zone, only_number(&text?).ok_or(UNTOLD)?, range, at);
    }
    Ok(meter.micros)
}

/// Why there are no packages.
fn lack(roots: &Roots, buffer: &mut Vec<u8>) -> Absent {
    match machine::look(roots, buffer) {
        Machine::X86 | Machine::Unknown => LACK,
        Machine::Virtual | Machine::Other => NO_METER,
    }
}

impl Meter {
    fn count(&mut self, zone: u32, now: u64, range: u64, at: Moment) {
        let (last, then) = self.last.insert(zone, (now, at)).unwrap_or((now, at));
        let gain = now.checked_sub(last).or_else(|| gain_around(last, now, range));
        let gain = gain.filter(|gain| *gain <= PACE.most(at.since(then)));
        self.micros = self.micros.saturating_add(gain.unwrap_or(0));
    }
}

/// Counters of the host and of a guest at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Use {
    /// The host's packages, in millionths of a joule.
    pub(crate) micros: u64,
    /// The host's CPUs, in nanoseconds.
    pub(crate) busy: u64,
    /// The guest's vCPUs, in nanoseconds.
    pub(crate) run: u64,
}

/// A guest's share since the first query for it.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Portion {
    last: Option<Use>,
    micros: u64,
}

impl Portion {
    /// The share so far, in millionths of a joule.
    pub(crate) fn add(&mut self, now: Use) -> u64 {
        let last = self.last.get_or_insert(now);
        let gain = |now: u64, last: u64| u128::from(now.saturating_sub(last));
        let (micros, busy) = (gain(now.micros, last.micros), gain(now.busy, last.busy));
        // The two clocks differ by a tick.
        let run = gain(now.run, last.run).min(busy);
        if let Some(part) = micros.saturating_mul(run).checked_div(busy) {
            self.micros = self.micros.saturating_add(u64::try_from(part).unwrap_or(u64::MAX));
            *last = now;
        }
        self.micros
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    #[test]
    fn a_counter_that_went_round_its_end_goes_on() {
        let mut meter = Meter::default();
        let at = Moment::new(Duration::ZERO);
        for now in [90, 95, 5, 10] {
            meter.count(0, now, 100, at);
        }
        meter.count(1, 50, 100, at);
        assert_eq!(meter.micros, 20);
    }

    #[test]
    fn a_counter_that_falls_or_leaps_uses_no_more_than_a_package_can() {
        let mut meter = Meter::default();
        let second = |second| Moment::new(Duration::from_secs(second));
        let range = 262_143_328_850;
        for (at, now) in [5_000_000, 4_000_000, 4_500_000, 200_000_000_000, 200_000_000_100]
            .into_iter()
            .enumerate()
        {
            meter.count(0, now, range, second(at as u64));
        }
        assert_eq!(meter.micros, 500_100);
    }

    #[test]
    fn a_guest_is_told_its_share_of_the_busy_time() {
        let mut portion = Portion::default();
        let mut told = |micros, busy, run| portion.add(Use { micros, busy, run });
        assert_eq!(told(1_000, 1_000, 500), 0, "nothing is known of the time before");
        assert_eq!(told(2_000, 1_100, 510), 100);
        assert_eq!(told(2_500, 1_100, 510), 100, "nobody ran: it is shared out with what comes");
        assert_eq!(told(3_000, 1_200, 560), 600);
        assert_eq!(told(4_000, 1_210, 999), 1_600, "no more than all");
    }

    proptest! {
        #[test]
        fn a_share_never_falls_and_is_no_more_than_all(
            steps in prop::collection::vec((0..u64::MAX / 64, 0..1_000_000u64, 0..1_000_000u64), 0..20),
        ) {
            let (mut portion, mut sum, mut before) = (Portion::default(), Use { micros: 0, busy: 0, run: 0 }, 0);
            portion.add(sum);
            for (micros, busy, run) in steps {
                sum = Use { micros: sum.micros + micros, busy: sum.busy + busy, run: sum.run + run };
                let told = portion.add(sum);
                prop_assert!((before..=sum.micros).contains(&told));
                before = told;
            }
        }
    }
}
