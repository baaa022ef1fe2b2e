//! Cgroups' `cpu.pressure`, `memory.pressure` and `io.pressure` (PSI): how long the guest's VMM waited.

use hostinfo_catalog::source::Resource;

use crate::Absent;
use crate::pressure::{self, Pressure};
use crate::root::Roots;
use crate::vmm::branch::Own;
use crate::vmm::grown::Grown;

const TURNED_OFF: Absent = Absent::new(
    "the pressure of this guest's cgroup is not measured",
    "write 1 to cgroup.pressure in the guest's cgroup",
);

pub(crate) fn read(
    own: &Own<'_>,
    resource: Resource,
    roots: &Roots,
    buffer: &mut Vec<u8>,
    grown: &mut Grown<2>,
) -> Result<Pressure, Absent> {
    let (file, of_host) = match resource {
        Resource::Cpu => ("cpu.pressure", "pressure/cpu"),
        Resource::Memory => ("memory.pressure", "pressure/memory"),
        Resource::Io => ("io.pressure", "pressure/io"),
    };
    // A kernel that measures its own pressure measures that of cgroups too, unless told not to.
    let is_measured = || roots.proc.join(of_host).exists();
    let file = own.whole.join(file);
    let text = roots
        .cgroup(&file, buffer)
        .map_err(|unread| unread.or(if is_measured() { TURNED_OFF } else { pressure::LACK }))?;
    Ok(pressure::parse(text).with_totals(|totals| grown.add(&file, totals)))
}
