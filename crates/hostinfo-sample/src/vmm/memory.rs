//! Cgroups' `memory.max`, `memory.high`, `memory.current`, `memory.events` and `memory.stat`: how
//! much memory the guest's VMM may use, how much of that it uses, how often it was too little, and
//! how much had to be read back.

use std::path::{Path, PathBuf};

use crate::open_files::Reader;
use crate::tally::{Newcomers, Tally};
use crate::text::{number, numbers, only_number};
use crate::vmm::branch::{Branch, Version};
use crate::{Absent, Used};

const NO_LIMIT: Absent = Absent::plain("this guest has no memory limit");
const UNTOLD: Absent = Absent::untold_of_guest("a limit of the guest's cgroup is not a number");

/// v1 expresses "no limit" with the highest number of whole pages below 2^63 bytes. Anything from half
/// of that on is no limit either.
const V1_UNLIMITED: u64 = 1 << 62;

/// The lowest limit on the way up from the guest's own cgroup, in bytes.
///
/// # Errors
///
/// There is none, or the guest has no cgroup of its own.
pub(crate) fn limit(branch: &Branch, roots: &Reader, buffer: &mut Vec<u8>) -> Result<u64, Absent> {
    let mut lowest = None;
    for cgroup in branch.all() {
        lowest = limit_of(cgroup, branch.version, roots, buffer)?.into_iter().chain(lowest).min();
    }
    let lowest = lowest.ok_or(NO_LIMIT)?;
    branch.own().map(|_| lowest)
}

/// The usage of the cgroup that is nearest to its limit, and which cgroup that is. Unlike resident
/// memory, it includes page cache and page tables.
///
/// # Errors
///
/// A limit or its usage is not known: that cgroup might be nearer to its limit.
pub(crate) fn used<'p>(
    cgroups: &'p [PathBuf],
    version: Version,
    roots: &Reader,
    buffer: &mut Vec<u8>,
) -> Result<Option<(&'p Path, Used)>, Absent> {
    let current = match version {
        Version::V2 => "memory.current",
        Version::V1 => "memory.usage_in_bytes",
    };
    let mut all = Vec::new();
    for cgroup in cgroups {
        if let Some(limit) = limit_of(cgroup, version, roots, buffer)? {
            let text = roots.cgroup(cgroup.join(current), buffer).map_err(|e| e.or(UNTOLD))?;
            let bytes = only_number(text).ok_or(UNTOLD)?;
            all.push((cgroup.as_path(), Used { bytes, limit }));
        }
    }
    let times = |bytes: u64, limit: u64| u128::from(bytes) * u128::from(limit);
    let nearest = all.into_iter().max_by(|(_, one), (_, other)| {
        times(one.bytes, other.limit).cmp(&times(other.bytes, one.limit))
    });
    Ok(nearest)
}

/// How often the cgroups reached their own limits. It never falls. `None` if no kernel file counts
/// that, or one cannot be read.
///
/// All cgroups are counted, whether or not they have a limit just now: a limit that is set between
/// two samples may be reached between them too.
pub(crate) fn hits(
    cgroups: &[PathBuf],
    version: Version,
    roots: &Reader,
    buffer: &mut Vec<u8>,
    tally: &mut Tally<1>,
) -> Option<u64> {
    // Linux 5.2 and newer include the counts of nested cgroups in memory.events: a slice would
    // appear to have reached the limits of all its guests. Older kernels have no other file, and do
    // not add them up.
    let files: &[_] = match version {
        Version::V2 => &["memory.events.local", "memory.events"],
        Version::V1 => &["memory.failcnt"],
    };
    let mut rows = Vec::new();
    for cgroup in cgroups {
        for file in files {
            match roots.cgroup(cgroup.join(file), buffer) {
                Ok(text) => {
                    let name = cgroup.as_os_str().as_encoded_bytes();
                    rows.push((name, Some([parse_hits(version, text)?])));
                    break;
                }
                Err(unread) if unread.is_not_there() => {}
                Err(_) => return None,
            }
        }
    }
    (!rows.is_empty()).then_some(())?;
    // If the guest is moved to a cgroup, that may have reached its limit for others before.
    let [hits] = tally.add(Newcomers::CountFromNow, rows.into_iter()).sums;
    Some(hits)
}

/// ```text
/// high 12
/// max 3
/// ```
///
/// v2's `memory.events`, or the number that is all of v1's `memory.failcnt`.
fn parse_hits(version: Version, text: &[u8]) -> Option<u64> {
    match version {
        Version::V2 => {
            let [high, max] = numbers(text, ["high", "max"]);
            Some(high??.saturating_add(max??))
        }
        Version::V1 => only_number(text),
    }
}

/// Bytes of a cgroup's memory that are swapped out and not also in memory, shared memory included.
/// `stat` is its `memory.stat`, and `current` its `memory.swap.current`, which v1 lacks.
pub(crate) fn swapped(stat: &[u8], current: Option<&[u8]>) -> Option<u64> {
    let keys = ["total_swap", "swap", "swapcached"];
    let [total, own, cached] = numbers(stat, keys).map(Option::flatten);
    let swapped = match current {
        Some(text) => only_number(text),
        None => total.or(own),
    };
    // Pages that were read back keep their place in swap while there is room (Linux 5.12).
    Some(swapped?.saturating_sub(cached.unwrap_or(0)))
}

/// The lower of a cgroup's limits. `None` if it has none, or the controller is off.
///
/// Above `memory.high`, which is libvirt's `soft_limit` and systemd's `MemoryHigh=`, processes are
/// held up until pages are freed, so it works as a limit. v1's `soft_limit_in_bytes` is not a
/// limit: it only decides whose pages go first when the whole host is short of memory.
fn limit_of(
    cgroup: &Path,
    version: Version,
    roots: &Reader,
    buffer: &mut Vec<u8>,
) -> Result<Option<u64>, Absent> {
    let files: &[_] = match version {
        Version::V2 => &["memory.max", "memory.high"],
        Version::V1 => &["memory.limit_in_bytes"],
    };
    let mut lowest = None;
    for file in files {
        match roots.cgroup(cgroup.join(file), buffer) {
            Ok(text) => lowest = parse(text)?.into_iter().chain(lowest).min(),
            Err(unread) if unread.is_not_there() => {}
            Err(unread) => return Err(unread.or(UNTOLD)),
        }
    }
    Ok(lowest)
}

/// ```text
/// 4294967296
/// ```
///
/// Or `max`, which means no limit.
pub(crate) fn parse(text: &[u8]) -> Result<Option<u64>, Absent> {
    match text.trim_ascii() {
        b"max" => Ok(None),
        text => Ok(Some(number(text).ok_or(UNTOLD)?).filter(|bytes| *bytes < V1_UNLIMITED)),
    }
}

/// ```text
/// pgfault 84301
/// pgmajfault 12
/// total_pgmajfault 15
/// ```
///
/// Major faults on a cgroup's memory, from `memory.stat`. v1 includes nested cgroups in the third
/// line, and v2 in the second.
pub(crate) fn major_faults(text: &[u8]) -> Option<u64> {
    let [total, own] = numbers(text, ["total_pgmajfault", "pgmajfault"]).map(Option::flatten);
    total.or(own)
}

/// ```text
/// pgsteal_kswapd 4711
/// ```
///
/// Pages of a cgroup that the kernel freed because the whole host was running short of memory, from
/// `memory.stat` of v2 since Linux 6.0. When a cgroup reaches its own limit, other threads free
/// pages, not kswapd.
pub(crate) fn freed_for_host(text: &[u8]) -> Option<u64> {
    let [pages] = numbers(text, ["pgsteal_kswapd"]);
    pages.flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn no_limit_has_many_forms() {
        // v2, and v1 from Linux 3.10 and 6.18, with pages of 4 and 64 KiB.
        for text in ["max\n", "9223372036854775807", "9223372036854771712", "9223372036854710272"] {
            assert_eq!(parse(text.as_bytes()), Ok(None), "{text}");
        }
        assert_eq!(parse(b"4294967296\n"), Ok(Some(4_294_967_296)));
    }

    #[test]
    fn a_text_that_is_no_limit_is_not_taken_for_the_absence_of_one() {
        for text in ["", "-1", "maximum", "1 2", "18446744073709551616"] {
            assert_eq!(parse(text.as_bytes()), Err(UNTOLD), "{text}");
        }
    }

    #[test]
    fn major_faults_are_those_of_all_of_the_guest() {
        // Linux 6.1, and v1 from 5.10.
        assert_eq!(major_faults(b"pgfault 84301\npgmajfault 12\nworkingset_nodes 0\n"), Some(12));
        assert_eq!(major_faults(b"pgmajfault 12\ntotal_pgmajfault 15\n"), Some(15));
        for text in ["", "pgmajfault", "pgmajfault -1", "pgfault 1\n"] {
            assert_eq!(major_faults(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn limits_that_were_reached_are_counted_by_either_version() {
        let events = b"low 9\nhigh 12\nmax 3\noom 7\noom_kill 7\n";
        assert_eq!(parse_hits(Version::V2, events), Some(15));
        assert_eq!(parse_hits(Version::V1, b"41\n"), Some(41));
        for text in ["", "high 12\n", "high 1\nmax -1\n"] {
            assert_eq!(parse_hits(Version::V2, text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn swapped_memory_that_is_in_memory_too_is_not_swapped_out() {
        assert_eq!(swapped(b"anon 5\nswapcached 4096\n", Some(b"12288\n")), Some(8192));
        assert_eq!(swapped(b"anon 5\n", Some(b"12288\n")), Some(12288), "before 5.12");
        // v1, with swap accounting.
        assert_eq!(swapped(b"swap 4096\ntotal_swap 8192\n", None), Some(8192));
        assert_eq!([swapped(b"anon 5\n", None), swapped(b"", Some(b"max"))], [None; 2]);
    }

    #[test]
    fn only_what_kswapd_freed_was_freed_for_the_host() {
        let text = b"pgsteal 30\npgsteal_kswapd 12\npgsteal_direct 18\n";
        assert_eq!([freed_for_host(text), freed_for_host(b"pgsteal 30\n")], [Some(12), None]);
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_answer(bytes: Vec<u8>, text in "((total_)?(pgmajfault|swap|max|high) ?[0-9]{0,22}\n?){0,3}") {
            for text in [&bytes[..], text.as_bytes()] {
                let _ = (parse(text), major_faults(text), swapped(text, None), swapped(text, Some(text)));
                let _ = [Version::V1, Version::V2].map(|version| parse_hits(version, text));
            }
        }
    }
}
