//! `/proc/vmstat`: paging, reclaim and the OOM killer, since boot.

use hostinfo_catalog::source::Paging;
use hostinfo_wire::Value;

use crate::root::{PAGE_BYTES, Roots};
use crate::tally::Highest;
use crate::text::{lines, number, words};
use crate::{Absent, Units};

const UNTOLD: Absent = Absent::untold(
    "a line of /proc/vmstat is not there: workingset_refault came with Linux 3.15, oom_kill with \
     4.13",
);

/// Swapped in and out (pages), paged in and out (KiB), major faults, stalls, refaults and
/// kills: as [`parse`] has them, and never less than before.
pub(crate) struct Vmstat([Option<u64>; 8]);

pub(crate) fn read(
    roots: &Roots,
    buffer: &mut Vec<u8>,
    highest: &mut Highest<8>,
) -> Result<Vmstat, Absent> {
    let text = roots.proc("vmstat", PAGE_BYTES, buffer).map_err(|e| e.or(Absent::NO_PROC))?;
    Ok(Vmstat(highest.raise(parse(text).0)))
}

/// ```text
/// pgpgin 4057073
/// allocstall_normal 0
/// workingset_refault_file 660334
/// ```
///
/// Up to Linux 4.9 there is one `allocstall`, then one for each zone; up to 5.8 one
/// `workingset_refault`, then one for files and one for anonymous memory.
pub(crate) fn parse(text: &[u8]) -> Vmstat {
    let mut figures = [None; 8];
    let [swap_in, swap_out, page_in, page_out, major, stalls, refaults, kills] = &mut figures;
    for line in lines(text) {
        let mut words = words(line);
        let (Some(key), Some(now)) = (words.next(), words.next().and_then(number)) else {
            continue;
        };
        let sum = match key {
            b"pswpin" => &mut *swap_in,
            b"pswpout" => &mut *swap_out,
            b"pgpgin" => &mut *page_in,
            b"pgpgout" => &mut *page_out,
            b"pgmajfault" => &mut *major,
            b"oom_kill" => &mut *kills,
            b"workingset_refault" | b"workingset_refault_anon" | b"workingset_refault_file" => {
                &mut *refaults
            }
            key if key == b"allocstall" || key.starts_with(b"allocstall_") => &mut *stalls,
            _ => continue,
        };
        *sum = Some(sum.unwrap_or(0u64).saturating_add(now));
    }
    Vmstat(figures)
}

impl Vmstat {
    pub(crate) fn value(&self, what: Paging, units: Units) -> Result<Value<'static>, Absent> {
        let [swap_in, swap_out, page_in, page_out, major, stalls, refaults, kills] = self.0;
        let kib = |kib: u64| Value::Whole(kib.saturating_mul(1024));
        match what {
            Paging::SwapIn => swap_in.map(|pages| units.pages(pages)),
            Paging::SwapOut => swap_out.map(|pages| units.pages(pages)),
            Paging::In => page_in.map(kib),
            Paging::Out => page_out.map(kib),
            Paging::MajorFaults => major.map(Value::Whole),
            Paging::ReclaimStalls => stalls.map(Value::Whole),
            Paging::Refaults => refaults.map(Value::Whole),
            Paging::OomKills => kills.map(Value::Whole),
        }
        .ok_or(UNTOLD)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn told(text: &str, what: Paging) -> Option<String> {
        let units = Units { ticks_per_second: 100, page_bytes: 16_384 };
        parse(text.as_bytes()).value(what, units).ok().map(|value| value.to_string())
    }

    #[test]
    fn swapping_is_counted_in_pages_and_paging_in_kibibytes() {
        let text = "pgpgin 3\npgpgout 4\npswpin 1\npswpout 2\npgmajfault 5\n";
        assert_eq!(told(text, Paging::SwapIn).unwrap(), "16384");
        assert_eq!(told(text, Paging::SwapOut).unwrap(), "32768");
        assert_eq!(told(text, Paging::In).unwrap(), "3072");
        assert_eq!(told(text, Paging::Out).unwrap(), "4096");
        assert_eq!(told(text, Paging::MajorFaults).unwrap(), "5");
    }

    #[test]
    fn old_and_new_spellings_mean_the_same() {
        // 3.10: no refaults, no kills.
        assert_eq!(told("allocstall 7\n", Paging::ReclaimStalls).unwrap(), "7");
        assert_eq!(told("allocstall 7\n", Paging::Refaults), None);
        assert_eq!(told("allocstall 7\n", Paging::OomKills), None);
        // 4.18.
        let text = "allocstall_dma 1\nallocstall_normal 5\nallocstall_movable 2\n\
                    workingset_refault 9\nworkingset_activate 4\noom_kill 3\n";
        assert_eq!(told(text, Paging::ReclaimStalls).unwrap(), "8");
        assert_eq!(told(text, Paging::Refaults).unwrap(), "9");
        assert_eq!(told(text, Paging::OomKills).unwrap(), "3");
        // 5.14 and newer.
        let text = "workingset_refault_anon 20\nworkingset_refault_file 300\n\
                    workingset_restore_file 1\n";
        assert_eq!(told(text, Paging::Refaults).unwrap(), "320");
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_answer(bytes: Vec<u8>, figures in "(allocstall_x [0-9]{0,20}\n?){0,3}") {
            parse(&bytes);
            told(&figures, Paging::ReclaimStalls);
        }
    }
}
