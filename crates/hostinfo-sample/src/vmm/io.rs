//! Cgroups' `io.max` and `io.stat`: how much the guest's VMM may read and write on the host's disks, and how
//! much it did. Only v2 is read: v1's `blkio.throttle` files count differently in each version of the kernel.

use serde::{Deserialize, Serialize};

use crate::open_files::Reader;
use crate::text::{lines, number, words};
use crate::vmm::branch::Branch;

/// The most limits of a guest that are kept: 1.9 KiB in each of the 13 samples of a window. A host
/// that limits a guest on more disks does so on all of them alike.
const LIMITS_MAX: usize = 16;

/// How much a cgroup may read and write on one of the host's disks, and how much it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct IoLimit {
    /// Whether the cgroup is the guest's own. The limits of those around it are the host's.
    pub is_own: bool,
    /// The cgroup's position on the way up from the innermost one, which is 0.
    pub level: usize,
    /// The major and the minor number of the disk.
    pub disk: (u32, u32),
    /// Reads.
    pub read: IoWay,
    /// Writes.
    pub write: IoWay,
}

/// Reads or writes: their limits, and how many there were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct IoWay {
    /// The most bytes in a second. `None`: no limit.
    pub bytes_max: Option<u64>,
    /// The most operations in a second.
    pub ops_max: Option<u64>,
    /// Bytes since the cgroup was made.
    pub bytes: u64,
    /// Operations since then.
    pub ops: u64,
}

/// All limits on the way up from the innermost cgroup. One that cannot be read is left out.
pub(crate) fn limits(branch: &Branch, roots: &Reader, buffer: &mut Vec<u8>) -> Vec<IoLimit> {
    let own = branch.own().map_or(0, |own| own.levels.len());
    let mut all = Vec::new();
    for (level, cgroup) in branch.all().iter().enumerate() {
        let Ok(text) = roots.cgroup(cgroup.join("io.max"), buffer) else { continue };
        let limits = rows(text, ["rbps", "riops", "wbps", "wiops"]);
        let limits: Vec<_> = limits.filter(|(_, max)| max.iter().any(Option::is_some)).collect();
        if limits.is_empty() {
            continue;
        }
        let Ok(text) = roots.cgroup(cgroup.join("io.stat"), buffer) else { continue };
        let used: Vec<_> = rows(text, ["rbytes", "rios", "wbytes", "wios"]).collect();
        all.extend(limits.into_iter().filter_map(|(disk, max)| {
            let (_, used) = used.iter().find(|(of, _)| *of == disk)?;
            let ([read_max, reads_max, write_max, writes_max], [read, reads, write, writes]) =
                (max, *used);
            Some(IoLimit {
                is_own: level < own,
                level,
                disk,
                read: IoWay { bytes_max: read_max, ops_max: reads_max, bytes: read?, ops: reads? },
                write: IoWay {
                    bytes_max: write_max,
                    ops_max: writes_max,
                    bytes: write?,
                    ops: writes?,
                },
            })
        }));
    }
    all.truncate(LIMITS_MAX);
    all
}

type Row = ((u32, u32), [Option<u64>; 4]);

/// ```text
/// 254:0 rbps=max wbps=max riops=500 wiops=max                    io.max
/// 254:0 rbytes=1044480 wbytes=0 rios=17 wios=0 dbytes=0 dios=0   io.stat
/// ```
///
/// The numbers of these keys. Lines of another form are ignored.
fn rows<'t>(text: &'t [u8], keys: [&'static str; 4]) -> impl Iterator<Item = Row> + 't {
    lines(text).filter_map(move |line| {
        let mut words = words(line);
        let mut numbers = words.next()?.splitn(2, |byte| *byte == b':');
        let mut half = || u32::try_from(number(numbers.next()?)?).ok();
        let disk = (half()?, half()?);
        let mut row = [None; 4];
        for word in words {
            let found = row.iter_mut().zip(keys).find_map(|(figure, key)| {
                let value = word.strip_prefix(key.as_bytes())?.strip_prefix(b"=")?;
                Some((figure, value))
            });
            if let Some((figure, value)) = found {
                *figure = number(value);
            }
        }
        Some((disk, row))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MAX: [&str; 4] = ["rbps", "riops", "wbps", "wiops"];

    #[test]
    fn a_line_tells_the_disk_and_what_is_limited() {
        let text = b"254:0 rbps=max wbps=max riops=2 wiops=max\n8:16 rbps=1048576 wbps=0 riops=max wiops=max\n";
        let told: Vec<_> = rows(text, MAX).collect();
        let vda = ((254, 0), [None, Some(2), None, None]);
        let sdb = ((8, 16), [Some(1 << 20), None, Some(0), None]);
        assert_eq!(told, [vda, sdb]);
    }

    #[test]
    fn lines_of_other_forms_are_passed_by() {
        for text in ["", "254 rbps=1", "254:x rbps=1", ":", "4294967296:0 rbps=1", "a:b"] {
            assert_eq!(rows(text.as_bytes(), MAX).count(), 0, "{text:?}");
        }
        // Linux 6.x has disks in io.stat that only have figures of what they cost.
        assert_eq!(rows(b"254:0 cost.usage=4\n", MAX).next(), Some(((254, 0), [None; 4])));
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_answer(bytes: Vec<u8>, text in "([0-9]{0,3}:[0-9]{0,2} ([rw]bps=[0-9max]{0,4} ){0,3}\n?){0,4}") {
            let _ = (rows(&bytes, MAX).count(), rows(text.as_bytes(), MAX).count());
        }
    }
}
