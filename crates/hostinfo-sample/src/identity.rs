//! What names the host: `/proc/sys/kernel` and what its firmware tells of it (DMI).

use crate::Absent;
use crate::root::{LINE_BYTES, Roots};
use crate::text::first_line;

const NO_DMI: Absent = Absent::new(
    "this host's firmware does not tell",
    "DMI is there on x86 and on ARM servers, where firmware or hypervisor fill it in",
);
const UNTOLD: Absent = Absent::untold("a file of /proc/sys/kernel is empty");

/// A file of `/proc/sys/kernel`: `hostname` or `osrelease`.
pub(crate) fn kernel(file: &str, roots: &Roots, buffer: &mut Vec<u8>) -> Result<String, Absent> {
    let text = roots
        .proc(&format!("sys/kernel/{file}"), LINE_BYTES, buffer)
        .map_err(|e| e.or(Absent::NO_PROC))?;
    first_line(text).ok_or(UNTOLD)
}

/// A file of `/sys/class/dmi/id`: `sys_vendor` or `product_name`.
pub(crate) fn dmi(file: &str, roots: &Roots, buffer: &mut Vec<u8>) -> Result<String, Absent> {
    let text = roots.sys(format!("class/dmi/id/{file}"), buffer).map_err(|e| e.or(NO_DMI))?;
    first_line(text).ok_or(NO_DMI)
}
