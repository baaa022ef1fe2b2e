//! Whether a guest is slow because of its host, because of its own limits or because of itself.
//!
//! [`judge()`] gives the verdict on an [`Interval`]: the [`Sample`]s of up to a minute. A [`Watch`]
//! decides when to sample a guest, and which samples form the interval. [`Incidents`] records
//! verdicts over time. All of it is pure: figures and clocks are arguments.
//!
//! A verdict reports the time lost in the whole interval, or in a burst that was felt although the
//! rest was quiet. It names the cause of the largest loss first. No verdict is `ok` if 5 % was
//! lost, and none blames anybody whom no figure shows. Time that a healthy disk takes for an
//! operation, up to 10 ms, does not count as lost.
//!
//! A verdict uses everything its host knows, but names a figure only if the guest may see the
//! statistics it comes from. It never mentions another guest.

mod cpu;
mod incident;
mod incidents;
mod interval;
mod io;
mod lost;
mod memory;
mod net;
mod sample;
mod share;
mod verdict;
mod watch;
mod words;

use hostinfo_catalog::source::Judged;

pub use incidents::{DAMAGED, Damaged, FILE_MAX, FOLDER, Incidents, Past, UNFINISHED};
pub use interval::Interval;
pub use sample::{Devices, Sample};
pub use verdict::{State, Verdict};
pub use watch::Watch;

/// The verdict on one resource.
pub fn judge(what: Judged, interval: &Interval<'_>, permits: Permits<'_>) -> Verdict {
    match what {
        Judged::Cpu => cpu::cpu(interval, permits),
        Judged::Memory => memory::memory(interval, permits),
        Judged::Io => io::io(interval, permits),
        Judged::Net => net::net(interval, permits),
    }
}

/// Whether the guest may see a statistic; the second argument is the instance, for those that have
/// them.
pub type Permits<'a> = &'a dyn Fn(hostinfo_catalog::StatId, Option<&str>) -> bool;

/// From this share of lost time on, a guest is slow: time waited, as a share of the time that it
/// wanted to use. VMware's guides say that CPU ready time starts to be felt at 5 % of an interval
/// for each vCPU, and is a problem at 10 %. Memory and I/O are measured the same way, as time lost.
/// For I/O, that is the time of operations that take longer than on a healthy disk: over 10 ms on
/// average.
const WAITED: share::Share = share::Share::percent(5);
