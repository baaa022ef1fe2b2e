//! `/proc/pressure`: how long tasks waited for a CPU, memory or I/O (PSI).

use hostinfo_catalog::source::{PressureFigure, Stall};
use hostinfo_wire::Value;

use crate::counter::{GuestCounter, Pace};
use crate::open_files::Reader;
use crate::root::{LINE_BYTES, Roots};
use crate::text::{lines, millionths, number, words};
use crate::units::micro;
use crate::{Absent, Moment, machine};

/// Some distributions build kernels that measure it only on request, such as RHEL 8 and 9
/// (CONFIG_PSI_DEFAULT_DISABLED), and nothing distinguishes those from kernels without it.
const LACK: Absent = Absent::optional(
    "this host does not measure pressure",
    "boot the host with psi=1; needs a kernel with CONFIG_PSI, which came with Linux 4.20",
);
/// The oldest kernel to which a distribution has backported it: RHEL 8's.
const FIRST: (u64, u64) = (4, 18);

const UNTOLD: Absent = Absent::untold("a line or a figure of the pressure file is not there");

/// One of the files: its two lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Pressure {
    some: Line,
    full: Line,
}

/// In the order of [`PressureFigure::KEYS`]. Averages are in millionths of a ratio; the total,
/// which comes last, is in microseconds.
type Line = [Option<u64>; PressureFigure::KEYS.len()];

const _: () = assert!(matches!(PressureFigure::KEYS, [.., (_, PressureFigure::Total)]));

/// Those of the two totals of a file.
pub(crate) type Counters = [GuestCounter; 2];

/// The totals count wall-clock time.
const PACE: Pace = Pace(1_000_000);

pub(crate) fn read(
    file: &str,
    roots: &Reader,
    at: Moment,
    buffer: &mut Vec<u8>,
    counters: &mut Counters,
) -> Result<Pressure, Absent> {
    let mut pressure = match roots.kept(&[file], LINE_BYTES, buffer) {
        Ok(text) => parse(text),
        Err(error) => return Err(error.or(lack(roots, buffer))),
    };
    for (total, counter) in pressure.totals().into_iter().zip(counters) {
        *total = total.and_then(|now| counter.report(now, at, PACE, None));
    }
    Ok(pressure)
}

/// Why the host has no such file.
pub(crate) fn lack(roots: &Roots, buffer: &mut Vec<u8>) -> Absent {
    if machine::release(roots, buffer).is_some_and(|release| release < FIRST) {
        Absent::unsupported("this host's kernel cannot measure pressure")
    } else if machine::is_booted_with(b"psi=0", roots, buffer) {
        Absent::chosen("this host does not measure pressure")
    } else {
        LACK
    }
}

/// ```text
/// some avg10=0.42 avg60=1.51 avg300=1.54 total=33247757
/// full avg10=0.00 avg60=0.00 avg300=0.00 total=0
/// ```
///
/// Averages are in percent, with two decimals.
pub(crate) fn parse(text: &[u8]) -> Pressure {
    let mut pressure = Pressure::default();
    for line in lines(text) {
        let mut words = words(line);
        let stall = match words.next() {
            Some(b"some") => &mut pressure.some,
            Some(b"full") => &mut pressure.full,
            _ => continue,
        };
        for word in words {
            for (place, (key, what)) in stall.iter_mut().zip(PressureFigure::KEYS) {
                let behind = word.strip_prefix(key.as_bytes());
                let Some(figure) = behind.and_then(|behind| behind.strip_prefix(b"=")) else {
                    continue;
                };
                *place = match what {
                    PressureFigure::Total => number(figure),
                    PressureFigure::Avg10 | PressureFigure::Avg60 | PressureFigure::Avg300 => {
                        percent(figure)
                    }
                };
            }
        }
    }
    pressure
}

/// Percent to millionths of a ratio, at most 1.
fn percent(word: &[u8]) -> Option<u64> {
    Some((millionths(word)? / 100).min(1_000_000))
}

impl Pressure {
    /// The same with other totals in microseconds, for `some` and for `full`.
    pub(crate) fn with_totals(
        mut self,
        of: impl FnOnce([Option<u64>; 2]) -> [Option<u64>; 2],
    ) -> Self {
        let [some, full] = self.totals();
        [*some, *full] = of([*some, *full]);
        self
    }

    fn totals(&mut self) -> [&mut Option<u64>; 2] {
        let Self { some: [.., some], full: [.., full] } = self;
        [some, full]
    }

    pub(crate) fn value(
        &self,
        stall: Stall,
        figure: PressureFigure,
    ) -> Result<Value<'static>, Absent> {
        let line = match stall {
            Stall::Some => &self.some,
            Stall::Full => &self.full,
        };
        let mut figures = line.iter().zip(PressureFigure::KEYS);
        let found = figures.find_map(|(value, (_, what))| value.filter(|_| what == figure));
        found.map(micro).ok_or(UNTOLD)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value(text: &str, stall: Stall, figure: PressureFigure) -> Result<String, Absent> {
        parse(text.as_bytes()).value(stall, figure).map(|value| value.to_string())
    }

    #[test]
    fn percent_become_exact_ratios_and_microseconds_seconds() {
        let text = "some avg10=0.12 avg60=1.51 avg300=100.00 total=33247757\n\
                    full avg10=0.00 avg60=0.01 avg300=0.00 total=1\n";
        let some = |figure| value(text, Stall::Some, figure).unwrap();
        assert_eq!(some(PressureFigure::Avg10), "0.0012");
        assert_eq!(some(PressureFigure::Avg60), "0.0151");
        assert_eq!(some(PressureFigure::Avg300), "1");
        assert_eq!(some(PressureFigure::Total), "33.247757");
        assert_eq!(value(text, Stall::Full, PressureFigure::Avg60).unwrap(), "0.0001");
    }

    #[test]
    fn a_missing_line_is_missing_alone() {
        // 4.20 to 5.12: no full line for CPUs.
        let text = "some avg10=0.00 avg60=0.00 avg300=0.00 total=5\n";
        assert_eq!(value(text, Stall::Full, PressureFigure::Total), Err(UNTOLD));
        assert_eq!(value(text, Stall::Some, PressureFigure::Total).unwrap(), "0.000005");
    }

    #[test]
    fn a_figure_that_is_no_number_is_missing_alone() {
        let text = "some avg10=-1.00 avg60=0.50 total=";
        assert_eq!(value(text, Stall::Some, PressureFigure::Avg10), Err(UNTOLD));
        assert_eq!(value(text, Stall::Some, PressureFigure::Total), Err(UNTOLD));
        assert_eq!(value(text, Stall::Some, PressureFigure::Avg60).unwrap(), "0.005");
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_answer(bytes: Vec<u8>) {
            parse(&bytes);
        }
    }
}
