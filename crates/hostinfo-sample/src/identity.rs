//! What identifies the host: `/proc/sys/kernel` and the names from its firmware (DMI).

use crate::Absent;
use crate::open_files::Reader;
use crate::root::{LINE_BYTES, Roots};
use crate::text::first_line;

/// DMI exists on x86 and on ARM servers, if the firmware or hypervisor fills it in.
const NO_DMI: Absent = Absent::unsupported("this host's firmware gives no name");
const UNTOLD: Absent = Absent::untold("a file of /proc/sys/kernel is empty");

/// A file of `/proc/sys/kernel`: `hostname` or `osrelease`.
pub(crate) fn kernel(file: &str, roots: &Reader, buffer: &mut Vec<u8>) -> Result<String, Absent> {
    let text = roots
        .kept(&["sys/kernel/", file], LINE_BYTES, buffer)
        .map_err(|e| e.or(Absent::NO_PROC))?;
    first_line(text).ok_or(UNTOLD)
}

/// A file of `/sys/class/dmi/id`: `sys_vendor` or `product_name`.
pub(crate) fn dmi(file: &str, roots: &Roots, buffer: &mut Vec<u8>) -> Result<String, Absent> {
    let lack = if roots.has_sys() { NO_DMI } else { Absent::NO_SYS };
    let text = roots.sys(format!("class/dmi/id/{file}"), buffer).map_err(|e| e.or(lack))?;
    first_line(text).ok_or(NO_DMI)
}
