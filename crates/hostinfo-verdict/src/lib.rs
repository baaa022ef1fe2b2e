//! Whether a guest is slow because of its host, because of its own limits or because of itself.
//!
//! [`judge()`] gives the verdict on an [`Interval`]: the [`Sample`]s of up to a minute. A [`Watch`] says
//! when samples are to be taken of a guest, and which of them make the interval. [`Incidents`] are
//! what verdicts were over time. All of it is pure: figures and clocks are handed in.
//!
//! What was lost is told of the whole interval, or of a burst in it that was felt though the rest
//! was quiet; and the cause that the most was lost to is named first. No verdict is `ok` where 5 %
//! was lost, and none blames anybody whom no figure shows. What a healthy disk takes for an operation,
//! up to 10 ms, is not lost.
//!
//! A verdict uses whatever its host knows, and names a figure only where the guest may see the
//! statistics that it comes from. It never speaks of another guest.

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

pub use cpu::cpu;
pub use incidents::{Damaged, FILE_MAX, Incidents};
pub use interval::Interval;
pub use io::io;
pub use memory::memory;
pub use net::net;
pub use sample::{Devices, Sample};
pub use verdict::{State, Verdict};
pub use watch::Watch;

/// The verdict on one thing.
pub fn judge(what: Judged, interval: &Interval<'_>, permits: Permits<'_>) -> Verdict {
    match what {
        Judged::Cpu => cpu(interval, permits),
        Judged::Memory => memory(interval, permits),
        Judged::Io => io(interval, permits),
        Judged::Net => net(interval, permits),
    }
}

/// Whether the guest may see a statistic, of that instance where it has them.
pub type Permits<'a> = &'a dyn Fn(hostinfo_catalog::StatId, Option<&str>) -> bool;

/// The least share of the time that wanted to be spent and was waited instead that counts as
/// slow. VMware's guides call CPU ready time of 5 % of an interval for each vCPU the beginning of
/// what is felt and 10 % a problem; memory and I/O are measured the same way, as time lost. Of I/O, that
/// is the time of operations that take longer than on a healthy disk: over 10 ms on average.
const WAITED: share::Share = share::Share::percent(5);
