//! Cgroups' `memory.max` and `memory.current`: how much memory the guest's VMM may use, and how
//! much of that is used.

use std::path::Path;

use crate::root::Roots;
use crate::text::only_number;
use crate::vmm::cgroup::{Own, Version};
use crate::{Absent, Used};

const NO_LIMIT: Absent = Absent::plain("this guest has no memory limit");
const UNREAD: Absent = Absent::untold("the memory controller of the guest's cgroup is off");

/// v1 says no limit with the highest number of pages that it can count: in bytes something
/// below 2^63, by less than a page.
const V1_UNLIMITED: u64 = 1 << 62;

/// The lowest of the limits that hold for the guest, in bytes.
pub(crate) fn limit(own: &Own, roots: &Roots, buffer: &mut Vec<u8>) -> Result<u64, Absent> {
    let mut lowest = None;
    for cgroup in own.ancestors() {
        match roots.cgroup(cgroup.join(limit_file(own.version)), buffer) {
            Ok(text) => lowest = parse(text).into_iter().chain(lowest).min(),
            // The controller is off here.
            Err(unread) if unread.is_not_there() => {}
            Err(unread) => return Err(unread.or(UNREAD)),
        }
    }
    lowest.ok_or(NO_LIMIT)
}

/// What is used in the one of the cgroups that is nearest to its limit: page cache and page tables
/// are in it, other than in resident memory.
pub(crate) fn used<'p>(
    cgroups: impl Iterator<Item = &'p Path>,
    version: Version,
    roots: &Roots,
    buffer: &mut Vec<u8>,
) -> Option<Used> {
    let current = match version {
        Version::V2 => "memory.current",
        Version::V1 => "memory.usage_in_bytes",
    };
    let all = cgroups.filter_map(|cgroup| {
        let limit = parse(roots.cgroup(cgroup.join(limit_file(version)), buffer).ok()?)?;
        let bytes = only_number(roots.cgroup(cgroup.join(current), buffer).ok()?)?;
        Some(Used { bytes, limit })
    });
    let times = |bytes: u64, limit: u64| u128::from(bytes) * u128::from(limit);
    all.max_by(|one, other| times(one.bytes, other.limit).cmp(&times(other.bytes, one.limit)))
}

fn limit_file(version: Version) -> &'static str {
    match version {
        Version::V2 => "memory.max",
        Version::V1 => "memory.limit_in_bytes",
    }
}

/// ```text
/// 4294967296
/// ```
///
/// Or `max`, which is none.
pub(crate) fn parse(text: &[u8]) -> Option<u64> {
    only_number(text).filter(|bytes| *bytes < V1_UNLIMITED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_limit_has_many_forms() {
        // v2; v1 of Linux 3.10, 6.18 with pages of 4 and of 64 KiB.
        for text in ["max\n", "9223372036854775807", "9223372036854771712", "9223372036854710272"] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(parse(b"-1"), None);
        assert_eq!(parse(b"4294967296\n"), Some(4_294_967_296));
    }
}
