//! `/proc/meminfo`: memory, huge pages and swap.

use hostinfo_catalog::source::Memory;
use hostinfo_wire::Value;

use crate::Absent;
use crate::open_files::Reader;
use crate::root::FIXED_BYTES;
use crate::text::{Figure, amounts, figure_of};

const NO_SWAP: Absent = Absent::chosen("this host has no swap");
/// The kernel was built without CONFIG_HUGETLBFS.
const NO_HUGE_PAGES: Absent = Absent::unsupported("this host has no huge pages");
/// Added in Linux 3.14.
const NO_AVAILABLE: Absent =
    Absent::unsupported("this host's kernel has no figure of available memory");
const UNTOLD: Absent =
    Absent::untold("a line of /proc/meminfo that every kernel has is not there, or not a figure");

/// Bytes, except for `HugePages_`, which counts pages of `huge_page` bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Meminfo {
    /// In the order of [`Memory::KEYS`].
    figures: [Figure; Memory::KEYS.len()],
    /// Figures that are not statistics by themselves.
    spare: Spare,
    huge_page: Option<u64>,
}

pub(crate) fn read(roots: &Reader, buffer: &mut Vec<u8>) -> Result<Meminfo, Absent> {
    let text = roots.kept(&["meminfo"], FIXED_BYTES, buffer).map_err(|e| e.or(Absent::NO_PROC))?;
    Ok(parse(text))
}

/// ```text
/// MemTotal:       24684096 kB
/// HugePages_Total:       0
/// Hugepagesize:       2048 kB
/// ```
pub(crate) fn parse(text: &[u8]) -> Meminfo {
    let figures = amounts(text, Memory::KEYS.map(|(key, _)| key));
    let others = amounts(text, ["Buffers", "SwapCached", "Hugepagesize"]);
    let [buffers, swap_cached, huge_page] = others.map(Option::flatten);
    Meminfo { figures, spare: Spare { buffers, swap_cached }, huge_page }
}

/// Memory that counts as neither used nor free, in addition to `memory.cached`, in bytes.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Spare {
    /// Buffers.
    pub buffers: Option<u64>,
    /// SwapCached.
    pub swap_cached: Option<u64>,
}

impl Meminfo {
    pub(crate) fn spare(&self) -> Spare {
        self.spare
    }

    pub(crate) fn value(&self, what: Memory) -> Result<Value<'static>, Absent> {
        let told = |what: Memory| figure_of(what, &Memory::KEYS, &self.figures);
        let line = told(what);
        let figure = match what {
            Memory::Total | Memory::Free | Memory::Cached | Memory::Dirty => line.ok_or(UNTOLD)?,
            Memory::Available => line.ok_or(NO_AVAILABLE)?,
            Memory::HugepagesTotal
            | Memory::HugepagesFree
            | Memory::HugepagesReserved
            | Memory::HugepagesSurplus => {
                line.ok_or(NO_HUGE_PAGES)?.and_then(|pages| pages.checked_mul(self.huge_page?))
            }
            Memory::SwapTotal | Memory::SwapFree => match told(Memory::SwapTotal) {
                Some(Some(0)) => return Err(NO_SWAP),
                _ => line.ok_or(UNTOLD)?,
            },
        };
        figure.map(Value::Whole).ok_or(UNTOLD)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value(text: &str, what: Memory) -> Result<Value<'static>, Absent> {
        parse(text.as_bytes()).value(what)
    }

    #[test]
    fn kilobytes_become_bytes_and_huge_pages_their_size() {
        // 6.x.
        let text = "MemTotal:       24684096 kB\nMemFree:        22846724 kB\n\
                    MemAvailable:   24279892 kB\nHugePages_Total:       8\n\
                    HugePages_Free:        3\nHugepagesize:    1048576 kB\n";
        assert_eq!(value(text, Memory::Total), Ok(Value::Whole(25_276_514_304)));
        assert_eq!(value(text, Memory::HugepagesTotal), Ok(Value::Whole(8 << 30)));
        assert_eq!(value(text, Memory::HugepagesFree), Ok(Value::Whole(3 << 30)));
        assert_eq!(value(text, Memory::HugepagesSurplus), Err(NO_HUGE_PAGES));
    }

    #[test]
    fn an_old_kernel_does_not_tell_what_is_available() {
        // 3.10.
        let text = "MemTotal:        1884188 kB\nMemFree:          951600 kB\n\
                    Buffers:            2072 kB\nCached:           374948 kB\n";
        assert_eq!(value(text, Memory::Available), Err(NO_AVAILABLE));
        assert_eq!(value(text, Memory::Cached), Ok(Value::Whole(374_948 * 1024)));
    }

    #[test]
    fn a_host_without_swap_says_so() {
        let none = "SwapTotal:             0 kB\nSwapFree:              0 kB\n";
        assert_eq!(value(none, Memory::SwapTotal), Err(NO_SWAP));
        assert_eq!(value(none, Memory::SwapFree), Err(NO_SWAP));
        let full = "SwapTotal:       1000 kB\nSwapFree:              0 kB\n";
        assert_eq!(value(full, Memory::SwapFree), Ok(Value::Whole(0)));
        assert_eq!(value("", Memory::SwapFree), Err(UNTOLD));
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
            assert_eq!(value(line, Memory::Total), Err(UNTOLD), "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_answer(bytes: Vec<u8>, figures in "(HugePages_Total|Hugepagesize): [0-9]{0,21}( kB)?\n?") {
            parse(&bytes);
            let _ = value(&figures.repeat(2), Memory::HugepagesTotal);
        }
    }
}
