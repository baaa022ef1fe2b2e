//! A host's `/proc` and `/sys` to values.
//!
//! [`Host::value`] gives a statistic's value at a [`Moment`], and [`Vmm::value`] one of a guest,
//! from the process that runs it and that process's cgroup. A file is read when a statistic that
//! needs it is asked for, at most once in a step of the sampling grid, and never otherwise. Each
//! source has a file of its own here: a function that reads, and a pure one that parses, with a
//! line of the kernel's file over it. What the kernel does not tell is an [`Absent`] of that one
//! statistic. Who may ask what, and how values are written, is left to others.

mod absent;
mod cached;
mod counter;
mod cpufreq;
mod cpuinfo;
mod cpulist;
mod cputime;
mod device;
mod devices;
mod disk;
mod diskstats;
mod energy;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod host;
mod identity;
mod interface;
mod ksm;
mod loadavg;
mod machine;
mod meminfo;
mod missing;
mod moment;
mod netdev;
mod open_files;
mod pressure;
mod root;
mod shares;
mod stat;
mod tally;
mod text;
mod throttle;
mod topology;
mod units;
mod vmm;
mod vmstat;
mod window;

pub use absent::{Absent, Lack};
pub use host::Host;
pub use meminfo::Spare;
pub use moment::Moment;
pub use open_files::OpenFiles;
pub use root::Roots;
pub use tally::gain;
pub use units::Units;
pub use vmm::Vmm;
pub use vmm::bounds::{Bounds, CpuUse, Used};
pub use vmm::samples::Ahead;
