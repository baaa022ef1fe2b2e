//! The contents of vhostmd's document, and the statistics it is made of: both the document and the rules' key
//! `vhostmd` are derived from this table.
//!
//! Names, types and units are those that vhostmd's clients know. libmetrics finds a metric by its name and
//! context, so each combination occurs once. `custom.*` statistics come after these, and have to be permitted
//! separately.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use crate::id::StatId;
use crate::source::Source;

use Context::{Host, Vm};
use Figure::{Buffers, Stat, SwapCached, SwapStat};
use Type::{Int64, Real64, Text, Uint64};
use Unit::{Kib, Seconds};

/// A metric of the document.
#[derive(Debug)]
pub struct Metric {
    /// The text of `<name>`.
    pub name: &'static str,
    /// Whether it is about the host or the guest.
    pub context: Context,
    /// How its value is written.
    pub kind: Type,
    /// Its unit.
    pub unit: Unit,
    /// What it is made of.
    pub made: Made,
}

/// Whether a metric is about the host or the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Context {
    /// The host.
    Host,
    /// The asking guest.
    Vm,
}

/// How vhostmd writes a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// Characters.
    Text,
    /// A whole number.
    Int64,
    /// A whole number of at least 0.
    Uint64,
    /// A number with six decimals.
    Real64,
}

/// A metric's unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A plain number, or text.
    None,
    /// Seconds.
    Seconds,
    /// 1024 bytes.
    Kib,
}

/// What a metric is made of. A guest that may not see one of the statistics does not get the metric.
#[derive(Debug)]
pub enum Made {
    /// The same text on every host, for a guest that may see the statistic.
    Fixed(&'static str, StatId),
    /// NAME of the host's os-release(5), for a guest that may see the statistic.
    OsName(StatId),
    /// The first of these that the guest may see.
    FirstOf(&'static [StatId]),
    /// A statistic, followed by a blank and another one if the guest may see that.
    With(StatId, StatId),
    /// The sum of the first list minus the sum of the second.
    Sum(&'static [Figure], &'static [Figure]),
}

/// A part of a sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    /// A statistic.
    Stat(StatId),
    /// A statistic that counts as 0 if the host has no swap and so does not report it.
    SwapStat(StatId),
    /// Buffers of `/proc/meminfo`, which is not a statistic.
    Buffers,
    /// SwapCached of `/proc/meminfo`, which is not a statistic.
    SwapCached,
}

/// A guest that may see this gets its UUID and its number as attributes of the elements about it.
pub const UUID: StatId = StatId::named("vm.uuid");

const HOST_NAME: StatId = StatId::named("host.name");
const HOST_ID: StatId = StatId::named("host.id");
const HYPERVISOR: StatId = StatId::named("hypervisor");
const VERSION: StatId = StatId::named("hypervisor.version");
const TIME: StatId = StatId::named("time");
const PHYSCPUS: StatId = StatId::named("physcpus");
const USER: StatId = StatId::named("cpu.seconds.user");
const NICE: StatId = StatId::named("cpu.seconds.nice");
const SYSTEM: StatId = StatId::named("cpu.seconds.system");
const GUEST: StatId = StatId::named("cpu.seconds.guest");
const MEM_TOTAL: StatId = StatId::named("memory.total");
const MEM_FREE: StatId = StatId::named("memory.free");
const CACHED: StatId = StatId::named("memory.cached");
const SWAP_TOTAL: StatId = StatId::named("swap.total");
const SWAP_FREE: StatId = StatId::named("swap.free");
const SWAP_IN: StatId = StatId::named("swap.in");
const SWAP_OUT: StatId = StatId::named("swap.out");
const VM_SECONDS: StatId = StatId::named("vm.cpu.seconds");
const VM_VCPUS_MAX: StatId = StatId::named("vm.vcpus.max");
const VM_MAXIMUM: StatId = StatId::named("vm.memory.maximum");
const VM_CURRENT: StatId = StatId::named("vm.memory.current");

/// Every metric, in the document's order.
#[rustfmt::skip]
pub const METRICS: &[Metric] = &[
    metric("HostName",                               Host, Text,   Unit::None, Made::FirstOf(&[HOST_NAME, HOST_ID])),
    metric("HostSystemInfo",                         Host, Text,   Unit::None, Made::Fixed("linux", HYPERVISOR)),
    // The host's distribution reveals as much as the hypervisor's version does.
    metric("VirtualizationVendor",                   Host, Text,   Unit::None, Made::OsName(VERSION)),
    metric("VirtProductInfo",                        Host, Text,   Unit::None, Made::With(HYPERVISOR, VERSION)),
    metric("Time",                                   Host, Int64,  Seconds,    plus(&[Stat(TIME)])),
    metric("NumberOfPhysicalCPUs",                   Host, Int64,  Unit::None, plus(&[Stat(PHYSCPUS)])),
    metric("TotalCPUTime",                           Host, Real64, Seconds,    plus(&[Stat(USER), Stat(NICE), Stat(SYSTEM), Stat(GUEST)])),
    metric("FreePhysicalMemory",                     Host, Uint64, Kib,        plus(&[Stat(MEM_FREE)])),
    metric("FreeVirtualMemory",                      Host, Uint64, Kib,        plus(&[Stat(MEM_FREE), SwapStat(SWAP_FREE)])),
    metric("MemoryAllocatedToVirtualServers",        Host, Uint64, Kib,        Made::Sum(
        &[Stat(MEM_TOTAL)],
        &[Stat(MEM_FREE), Buffers, Stat(CACHED)])),
    metric("UsedVirtualMemory",                      Host, Uint64, Kib,        Made::Sum(
        &[Stat(MEM_TOTAL), SwapStat(SWAP_TOTAL)],
        &[Stat(MEM_FREE), Stat(CACHED), Buffers, SwapCached])),
    metric("PagedInMemory",                          Host, Uint64, Kib,        plus(&[Stat(SWAP_IN)])),
    metric("PagedOutMemory",                         Host, Uint64, Kib,        plus(&[Stat(SWAP_OUT)])),
    metric("TotalCPUTime",                           Vm,   Real64, Seconds,    plus(&[Stat(VM_SECONDS)])),
    metric("ResourceProcessorLimit",                 Vm,   Uint64, Unit::None, plus(&[Stat(VM_VCPUS_MAX)])),
    metric("ResourceMemoryLimit",                    Vm,   Uint64, Kib,        plus(&[Stat(VM_MAXIMUM)])),
    metric("PhysicalMemoryAllocatedToVirtualSystem", Vm,   Uint64, Kib,        plus(&[Stat(VM_CURRENT)])),
];

const fn metric(
    name: &'static str,
    context: Context,
    kind: Type,
    unit: Unit,
    made: Made,
) -> Metric {
    Metric { name, context, kind, unit, made }
}

const fn plus(figures: &'static [Figure]) -> Made {
    Made::Sum(figures, &[])
}

impl Made {
    /// Whether all guests that may see the same of it get the same figure in one sample of their host: the
    /// figure depends on no guest, and does not change between samples.
    pub fn is_of_host(&self, permits: impl Fn(StatId) -> bool) -> bool {
        let is_hosts = |stat: &StatId| matches!(stat.stat().source, Source::Host(_));
        let are_hosts = |figures: &[Figure]| {
            figures.iter().all(|figure| match figure {
                Stat(stat) | SwapStat(stat) => is_hosts(stat),
                Buffers | SwapCached => true,
            })
        };
        match self {
            Self::Fixed(..) | Self::OsName(_) => true,
            Self::FirstOf(stats) => stats.iter().find(|stat| permits(**stat)).is_none_or(is_hosts),
            Self::With(stat, behind) => is_hosts(stat) && is_hosts(behind),
            Self::Sum(plus, minus) => are_hosts(plus) && are_hosts(minus),
        }
    }

    /// Its statistics, in no particular order and perhaps more than once.
    fn stats(&self) -> impl Iterator<Item = StatId> {
        let (stats, figures): (Vec<StatId>, [&[Figure]; 2]) = match *self {
            Self::Fixed(_, stat) | Self::OsName(stat) => (vec![stat], [&[], &[]]),
            Self::FirstOf(stats) => (stats.to_vec(), [&[], &[]]),
            Self::With(stat, other) => (vec![stat, other], [&[], &[]]),
            Self::Sum(plus, minus) => (Vec::new(), [plus, minus]),
        };
        let figures = figures.into_iter().flatten().filter_map(|figure| match figure {
            Stat(stat) | SwapStat(stat) => Some(*stat),
            Buffers | SwapCached => None,
        });
        stats.into_iter().chain(figures)
    }
}

/// Every statistic that the document is made of, once, in the catalog's order.
pub fn stats() -> &'static [StatId] {
    static STATS: LazyLock<Vec<StatId>> = LazyLock::new(|| {
        let stats = METRICS.iter().flat_map(|metric| metric.made.stats()).chain([UUID]);
        stats.collect::<BTreeSet<_>>().into_iter().collect()
    });
    &STATS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;
    use crate::stat;

    #[test]
    fn no_two_metrics_have_the_same_name_and_context() {
        for (at, metric) in METRICS.iter().enumerate() {
            let same = |m: &&Metric| m.name == metric.name && m.context == metric.context;
            assert_eq!(METRICS.iter().position(|m| same(&m)), Some(at), "{}", metric.name);
        }
    }

    #[test]
    fn figures_are_in_units_that_fit_and_text_is_text() {
        for metric in METRICS {
            for stat in metric.made.stats().map(StatId::stat) {
                assert!(!stat.has_instances(), "{}", stat.name);
                assert_eq!(metric.kind == Text, stat.kind == Kind::Info, "{}", metric.name);
                let fits = match metric.unit {
                    Unit::None => matches!(stat.unit, stat::Unit::None | stat::Unit::Cpus),
                    Seconds => stat.unit == stat::Unit::Seconds,
                    Kib => stat.unit == stat::Unit::Bytes,
                };
                assert!(fits, "{} is made of {}", metric.name, stat.name);
            }
        }
    }
}
