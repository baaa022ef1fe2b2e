//! `/proc/vmstat`: paging, reclaim and the OOM killer, since boot.

use hostinfo_catalog::source::Paging;
use hostinfo_wire::Value;

use crate::counter::{GuestCounter, Pace};
use crate::open_files::Reader;
use crate::root::FIXED_BYTES;
use crate::text::{Figure, figure_of, numbers};
use crate::{Absent, Moment, Units};

const UNTOLD: Absent =
    Absent::untold("a line of /proc/vmstat that every kernel has is not there, or not a count");

/// The numbers of the lines, in the order of [`Paging::KEYS`], as reported: they never fall.
pub(crate) struct Vmstat([Figure; Paging::KEYS.len()]);

/// One for each line.
pub(crate) type Counters = [GuestCounter; Paging::KEYS.len()];

pub(crate) fn read(
    roots: &Reader,
    at: Moment,
    buffer: &mut Vec<u8>,
    counters: &mut Counters,
) -> Result<Vmstat, Absent> {
    let text = roots.kept(&["vmstat"], FIXED_BYTES, buffer).map_err(|e| e.or(Absent::NO_PROC))?;
    let mut numbers = parse(text);
    for ((number, counter), (_, what)) in numbers.iter_mut().zip(counters).zip(Paging::KEYS) {
        *number = number.map(|now| counter.report(now?, at, Pace::DEVICE, Some(range(what))));
    }
    Ok(Vmstat(numbers))
}

/// Where the counters of a 32-bit kernel wrap around. For what was paged in and out that is half as
/// far: the kernel counts sectors of 512 bytes and reports half their number.
fn range(what: Paging) -> u64 {
    match what {
        Paging::In | Paging::Out => 1 << 31,
        Paging::SwapIn
        | Paging::SwapOut
        | Paging::MajorFaults
        | Paging::ReclaimStalls
        | Paging::Refaults
        | Paging::OomKills => 1 << 32,
    }
}

/// Why there is no such line.
fn lack(what: Paging) -> Absent {
    match what {
        // Without CONFIG_SWAP.
        Paging::SwapIn | Paging::SwapOut => Absent::unsupported("this host's kernel does not swap"),
        // Before Linux 3.15.
        Paging::Refaults => Absent::unsupported("this host's kernel does not count refaults"),
        // Before Linux 4.13.
        Paging::OomKills => Absent::unsupported("this host's kernel does not count OOM kills"),
        Paging::In | Paging::Out | Paging::MajorFaults | Paging::ReclaimStalls => UNTOLD,
    }
}

/// ```text
/// pgpgin 4057073
/// allocstall_normal 0
/// workingset_refault_file 660334
/// ```
pub(crate) fn parse(text: &[u8]) -> [Figure; Paging::KEYS.len()] {
    numbers(text, Paging::KEYS.map(|(key, _)| key))
}

impl Vmstat {
    pub(crate) fn value(&self, what: Paging, units: Units) -> Result<Value<'static>, Absent> {
        let sum = figure_of(what, &Paging::KEYS, &self.0).ok_or(lack(what))?.ok_or(UNTOLD)?;
        Ok(match what {
            Paging::SwapIn | Paging::SwapOut => units.pages(sum),
            Paging::In | Paging::Out => Value::Whole(sum.saturating_mul(1024)),
            Paging::MajorFaults | Paging::ReclaimStalls | Paging::Refaults | Paging::OomKills => {
                Value::Whole(sum)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value(text: &str, what: Paging) -> Option<String> {
        let units = Units { ticks_per_second: 100, page_bytes: 16_384 };
        Vmstat(parse(text.as_bytes())).value(what, units).ok().map(|value| value.to_string())
    }

    #[test]
    fn swapping_is_counted_in_pages_and_paging_in_kibibytes() {
        let text = "pgpgin 3\npgpgout 4\npswpin 1\npswpout 2\npgmajfault 5\n";
        assert_eq!(value(text, Paging::SwapIn).unwrap(), "16384");
        assert_eq!(value(text, Paging::SwapOut).unwrap(), "32768");
        assert_eq!(value(text, Paging::In).unwrap(), "3072");
        assert_eq!(value(text, Paging::Out).unwrap(), "4096");
        assert_eq!(value(text, Paging::MajorFaults).unwrap(), "5");
    }

    #[test]
    fn old_and_new_spellings_mean_the_same() {
        // 3.10: no refaults, no kills.
        assert_eq!(value("allocstall 7\n", Paging::ReclaimStalls).unwrap(), "7");
        assert_eq!(value("allocstall 7\n", Paging::Refaults), None);
        assert_eq!(value("allocstall 7\n", Paging::OomKills), None);
        // 4.18.
        let text = "allocstall_dma 1\nallocstall_normal 5\nallocstall_movable 2\n\
                    workingset_refault 9\nworkingset_activate 4\noom_kill 3\n";
        assert_eq!(value(text, Paging::ReclaimStalls).unwrap(), "8");
        assert_eq!(value(text, Paging::Refaults).unwrap(), "9");
        assert_eq!(value(text, Paging::OomKills).unwrap(), "3");
        // 5.14 and newer.
        let text = "workingset_refault_anon 20\nworkingset_refault_file 300\n\
                    workingset_restore_file 1\n";
        assert_eq!(value(text, Paging::Refaults).unwrap(), "320");
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_answer(bytes: Vec<u8>, figures in "(allocstall_x [0-9]{0,20}\n?){0,3}") {
            parse(&bytes);
            value(&figures, Paging::ReclaimStalls);
        }
    }
}
