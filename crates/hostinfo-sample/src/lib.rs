//! Turns a host's `/proc` and `/sys` into values.
//!
//! [`Host::value`] gives a statistic's value at a [`Moment`]. [`Vmm::value`] gives one of a guest,
//! from the process that runs it and that process's cgroup. A file is read only when a query needs
//! it, and at most once in a step of the sampling grid. Each source has a file of its own here: a
//! function that reads, and a pure one that parses, with a line of the kernel's file above it. If
//! the kernel does not report a statistic, that one statistic is [`Absent`]. Other crates decide
//! who may ask for what, and how values are written.

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
#[cfg(feature = "examples")]
pub mod examples;
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
pub use shares::HostWindow;
pub use tally::gain;
pub use units::Units;
pub use vmm::Vmm;
pub use vmm::bounds::{Bounds, CpuUse, Used};
pub use vmm::io::{IoLimit, IoWay};
pub use vmm::samples::Ahead;
