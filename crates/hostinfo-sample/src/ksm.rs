//! `/sys/kernel/mm/ksm`: equal pages of guests that are kept once.

use crate::Absent;
use crate::root::Roots;
use crate::text::only_number;

const LACK: Absent =
    Absent::new("this host does not merge equal pages", "needs a kernel with CONFIG_KSM");
const UNTOLD: Absent = Absent::untold("/sys/kernel/mm/ksm/pages_sharing holds no number");

/// Pages saved. The file holds a number: `1832`.
pub(crate) fn read(roots: &Roots, buffer: &mut Vec<u8>) -> Result<u64, Absent> {
    let text = roots.sys("kernel/mm/ksm/pages_sharing", buffer).map_err(|e| e.or(LACK))?;
    only_number(text).ok_or(UNTOLD)
}
