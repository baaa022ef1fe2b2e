//! `/sys/kernel/mm/ksm`: equal pages of guests that are stored once.

use crate::Absent;
use crate::open_files::Reader;
use crate::text::only_number;

/// The kernel was built without CONFIG_KSM.
const LACK: Absent = Absent::unsupported("this host does not merge equal pages");
const UNTOLD: Absent = Absent::untold("/sys/kernel/mm/ksm/pages_sharing holds no number");

/// Pages saved. The file holds a number: `1832`.
pub(crate) fn read(roots: &Reader, buffer: &mut Vec<u8>) -> Result<u64, Absent> {
    let lack = if roots.has_sys() { LACK } else { Absent::NO_SYS };
    let text = roots.sys("kernel/mm/ksm/pages_sharing", buffer).map_err(|e| e.or(lack))?;
    only_number(text).ok_or(UNTOLD)
}
