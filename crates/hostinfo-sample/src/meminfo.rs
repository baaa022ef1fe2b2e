//! `/proc/meminfo`: memory, huge pages and swap.

use hostinfo_catalog::source::Memory;
use hostinfo_wire::Value;

use crate::Absent;
use crate::root::{PAGE_BYTES, Roots};
use crate::text::{key_and_value, lines, number, words};

const NO_SWAP: Absent = Absent::chosen("this host has no swap");
/// Its kernel was made without CONFIG_HUGETLBFS.
const NO_HUGE_PAGES: Absent = Absent::unsupported("this host has no huge pages");
/// It came with Linux 3.14.
const NO_AVAILABLE: Absent =
    Absent::unsupported("this host's kernel has no figure of available memory");
const UNTOLD: Absent =
    Absent::untold("a line of /proc/meminfo that every kernel has is not there, or not a figure");

/// The figure of a line. `None`: there is no such line; `None` within: it has no figure.
type Line = Option<Option<u64>>;

/// Bytes, but for `HugePages_`, which are pages of `huge_page` bytes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Meminfo {
    total: Line,
    available: Line,
    free: Line,
    cached: Line,
    buffers: Line,
    swap_cached: Line,
    dirty: Line,
    huge_page: Line,
    huge_total: Line,
    huge_free: Line,
    huge_reserved: Line,
    huge_surplus: Line,
    swap_total: Line,
    swap_free: Line,
}

pub(crate) fn read(roots: &Roots, buffer: &mut Vec<u8>) -> Result<Meminfo, Absent> {
    let text = roots.proc("meminfo", PAGE_BYTES, buffer).map_err(|e| e.or(Absent::NO_PROC))?;
    Ok(parse(text))
}

/// ```text
/// MemTotal:       24684096 kB
/// HugePages_Total:       0
/// Hugepagesize:       2048 kB
/// ```
pub(crate) fn parse(text: &[u8]) -> Meminfo {
    let mut meminfo = Meminfo::default();
    for (key, value) in lines(text).filter_map(key_and_value) {
        let figure = match key {
            b"MemTotal" => &mut meminfo.total,
            b"MemAvailable" => &mut meminfo.available,
            b"MemFree" => &mut meminfo.free,
            b"Cached" => &mut meminfo.cached,
            b"Buffers" => &mut meminfo.buffers,
            b"SwapCached" => &mut meminfo.swap_cached,
            b"Dirty" => &mut meminfo.dirty,
            b"Hugepagesize" => &mut meminfo.huge_page,
            b"HugePages_Total" => &mut meminfo.huge_total,
            b"HugePages_Free" => &mut meminfo.huge_free,
            b"HugePages_Rsvd" => &mut meminfo.huge_reserved,
            b"HugePages_Surp" => &mut meminfo.huge_surplus,
            b"SwapTotal" => &mut meminfo.swap_total,
            b"SwapFree" => &mut meminfo.swap_free,
            _ => continue,
        };
        *figure = Some(amount(value));
    }
    meminfo
}

/// `24684096 kB` in bytes (the kernel's kB are KiB), or a bare number.
fn amount(value: &[u8]) -> Option<u64> {
    let mut words = words(value);
    let figure = words.next().and_then(number)?;
    match words.next() {
        None => Some(figure),
        Some(b"kB") => figure.checked_mul(1024),
        Some(_) => None,
    }
}

/// What counts as neither used nor free, beside `memory.cached`: in bytes.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Spare {
    /// Buffers.
    pub buffers: Option<u64>,
    /// SwapCached.
    pub swap_cached: Option<u64>,
}

impl Meminfo {
    pub(crate) fn spare(&self) -> Spare {
        Spare { buffers: self.buffers.flatten(), swap_cached: self.swap_cached.flatten() }
    }

    pub(crate) fn value(&self, what: Memory) -> Result<Value<'static>, Absent> {
        let huge = |pages: Line| Some(pages?.and_then(|n| n.checked_mul(self.huge_page??)));
        let has_swap = self.swap_total != Some(Some(0));
        let (line, lack) = match what {
            Memory::Total => (self.total, UNTOLD),
            Memory::Available => (self.available, NO_AVAILABLE),
            Memory::Free => (self.free, UNTOLD),
            Memory::Cached => (self.cached, UNTOLD),
            Memory::Dirty => (self.dirty, UNTOLD),
            Memory::HugepagesTotal => (huge(self.huge_total), NO_HUGE_PAGES),
            Memory::HugepagesFree => (huge(self.huge_free), NO_HUGE_PAGES),
            Memory::HugepagesReserved => (huge(self.huge_reserved), NO_HUGE_PAGES),
            Memory::HugepagesSurplus => (huge(self.huge_surplus), NO_HUGE_PAGES),
            Memory::SwapTotal if has_swap => (self.swap_total, UNTOLD),
            Memory::SwapFree if has_swap => (self.swap_free, UNTOLD),
            Memory::SwapTotal | Memory::SwapFree => return Err(NO_SWAP),
        };
        line.ok_or(lack)?.map(Value::Whole).ok_or(UNTOLD)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn told(text: &str, what: Memory) -> Result<Value<'static>, Absent> {
        parse(text.as_bytes()).value(what)
    }

    #[test]
    fn kilobytes_become_bytes_and_huge_pages_their_size() {
        // 6.x.
        let text = "MemTotal:       24684096 kB\nMemFree:        22846724 kB\n\
                    MemAvailable:   24279892 kB\nHugePages_Total:       8\n\
                    HugePages_Free:        3\nHugepagesize:    1048576 kB\n";
        assert_eq!(told(text, Memory::Total), Ok(Value::Whole(25_276_514_304)));
        assert_eq!(told(text, Memory::HugepagesTotal), Ok(Value::Whole(8 << 30)));
        assert_eq!(told(text, Memory::HugepagesFree), Ok(Value::Whole(3 << 30)));
        assert_eq!(told(text, Memory::HugepagesSurplus), Err(NO_HUGE_PAGES));
    }

    #[test]
    fn an_old_kernel_does_not_tell_what_is_available() {
        // 3.10.
        let text = "MemTotal:        1884188 kB\nMemFree:          951600 kB\n\
                    Buffers:            2072 kB\nCached:           374948 kB\n";
        assert_eq!(told(text, Memory::Available), Err(NO_AVAILABLE));
        assert_eq!(told(text, Memory::Cached), Ok(Value::Whole(374_948 * 1024)));
    }

    #[test]
    fn a_host_without_swap_says_so() {
        let none = "SwapTotal:             0 kB\nSwapFree:              0 kB\n";
        assert_eq!(told(none, Memory::SwapTotal), Err(NO_SWAP));
        assert_eq!(told(none, Memory::SwapFree), Err(NO_SWAP));
        let full = "SwapTotal:       1000 kB\nSwapFree:              0 kB\n";
        assert_eq!(told(full, Memory::SwapFree), Ok(Value::Whole(0)));
        assert_eq!(told("", Memory::SwapFree), Err(UNTOLD));
    }

    #[test]
    fn a_figure_of_another_form_is_missing() {
        for line in [
            "MemTotal: -1 kB",
            "MemTotal: 1 MB",
            "MemTotal:",
            "MemTotal: 18446744073709551615 kB",
            "MemTotal 1 kB",
        ] {
            assert_eq!(told(line, Memory::Total), Err(UNTOLD), "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_answer(bytes: Vec<u8>, figures in "(HugePages_Total|Hugepagesize): [0-9]{0,21}( kB)?\n?") {
            parse(&bytes);
            let _ = told(&figures.repeat(2), Memory::HugepagesTotal);
        }
    }
}
