//! Cgroups' `cpu.pressure`, `memory.pressure` and `io.pressure` (PSI): how long the guest's VMM waited.

use hostinfo_catalog::source::{PressureFigure, Resource, Stall};
use hostinfo_wire::Value;

use crate::open_files::Reader;
use crate::pressure::{self, Pressure};
use crate::root::Roots;
use crate::vmm::branch::Own;
use crate::vmm::file_counters::FileCounters;
use crate::{Absent, Lack};

const TURNED_OFF: Absent = Absent::optional(
    "the pressure of this guest's cgroup is not measured",
    "write 1 to cgroup.pressure in the guest's cgroup",
);

/// Only v2 has it, and the host has v1, because its owner or distribution wants it so.
const NO_V2: Absent = Absent::chosen("this host does not measure guests' pressure");

/// Before Linux 5.13 a cgroup's `cpu.pressure` has one line.
const NO_FULL: Absent = Absent::unsupported("this host's kernel does not report it");

const UNTOLD: Absent =
    Absent::untold_of_guest("a line or a figure of the cgroup's pressure file is missing");

/// Why the host has no cgroup v2.
pub(crate) fn without_v2(roots: &Roots, buffer: &mut Vec<u8>) -> Absent {
    let of_host = pressure::lack(roots, buffer);
    if of_host.lack == Lack::Unsupported { of_host } else { NO_V2 }
}

/// How long tasks waited, according to a cgroup's file.
pub(crate) fn value(
    pressure: &Pressure,
    resource: Resource,
    stall: Stall,
    figure: PressureFigure,
) -> Result<Value<'static>, Absent> {
    let value = pressure.value(stall, figure);
    match (resource, stall) {
        (Resource::Cpu, Stall::Full) => value.map_err(|_| NO_FULL),
        _ => value.map_err(|_| UNTOLD),
    }
}

pub(crate) fn read(
    own: &Own<'_>,
    resource: Resource,
    roots: &Reader,
    buffer: &mut Vec<u8>,
    counters: &mut FileCounters<2>,
) -> Result<Pressure, Absent> {
    let (file, of_host) = match resource {
        Resource::Cpu => ("cpu.pressure", "pressure/cpu"),
        Resource::Memory => ("memory.pressure", "pressure/memory"),
        Resource::Io => ("io.pressure", "pressure/io"),
    };
    // A kernel that measures its own pressure also measures that of cgroups, unless told not to.
    let is_measured = || roots.proc.join(of_host).exists();
    let file = own.whole.join(file);
    let pressure = match roots.cgroup(&file, buffer) {
        Ok(text) => pressure::parse(text),
        Err(unread) if is_measured() => return Err(unread.or(TURNED_OFF)),
        Err(unread) => return Err(unread.or(pressure::lack(roots, buffer))),
    };
    Ok(pressure.with_totals(|totals| counters.add(&file, totals)))
}
