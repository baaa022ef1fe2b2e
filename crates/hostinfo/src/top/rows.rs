//! The figures that `top` draws, and the format of each one's newest value.

use std::time::Duration;

use crate::recording::Field;
use crate::units;

/// A figure over the last minutes.
pub(super) struct Row {
    /// The figure, and whose view it is.
    pub(super) label: &'static str,
    pub(super) is_hosts: bool,
    pub(super) field: Field,
    pub(super) full: Full,
    tell: fn(f64) -> String,
}

/// The value that is drawn at full height.
#[derive(Debug, Clone, Copy)]
pub(super) enum Full {
    /// A fixed one, so that lines can be compared with each other and with earlier ones.
    At(f64),
    /// The greatest that is seen of these figures, and at least `least`, so that little does not look like much.
    Greatest { of: &'static [Field], least: f64 },
}

/// All of the time.
const ALL: Full = Full::At(1000.0);

/// Both views of a disk are drawn to one scale.
const LATENCY: Full = Full::Greatest { of: &[Field::HostLatency, Field::Latency], least: 10_000.0 };

const TAKEN: Full = Full::Greatest { of: &[Field::Taken], least: 64.0 };
const AVAILABLE: Full = Full::Greatest { of: &[Field::Available], least: 64.0 };

impl Row {
    /// A value in words.
    pub(super) fn words(&self, figure: u32) -> String {
        (self.tell)(f64::from(figure))
    }

    const fn host(label: &'static str, field: Field, full: Full, tell: fn(f64) -> String) -> Self {
        Self { label, is_hosts: true, field, full, tell }
    }

    const fn guest(label: &'static str, field: Field, full: Full, tell: fn(f64) -> String) -> Self {
        Self { label, is_hosts: false, field, full, tell }
    }
}

/// The most important rows come first, and both views of one thing are adjacent.
pub(super) const ROWS: [Row; 15] = [
    Row::host("vCPUs waited", Field::Waited, ALL, percent),
    Row::guest("CPU stolen", Field::Steal, ALL, percent),
    Row::host("held by a limit", Field::Throttled, ALL, percent),
    Row::host("vCPUs ran", Field::Ran, ALL, percent),
    Row::guest("CPU busy", Field::Busy, ALL, percent),
    Row::host("CPU pressure", Field::HostCpu, ALL, percent),
    Row::guest("CPU pressure", Field::Cpu, ALL, percent),
    Row::host("memory pressure", Field::HostMemory, ALL, percent),
    Row::guest("memory pressure", Field::Memory, ALL, percent),
    Row::host("I/O pressure", Field::HostIo, ALL, percent),
    Row::guest("I/O pressure", Field::Io, ALL, percent),
    Row::host("disk operation", Field::HostLatency, LATENCY, micros),
    Row::guest("disk operation", Field::Latency, LATENCY, micros),
    Row::host("ballooned", Field::Taken, TAKEN, mib),
    Row::guest("memory left", Field::Available, AVAILABLE, mib),
];

/// The width of every label.
pub(super) const LABEL: usize = "guest memory pressure ".len();

/// The widest value.
pub(super) const VALUE: usize = 9;

fn percent(thousandths: f64) -> String {
    format!("{:.1}%", thousandths / 10.0)
}

fn micros(micros: f64) -> String {
    let time = Duration::try_from_secs_f64(micros / 1e6).unwrap_or_default();
    units::duration(time)
}

fn mib(mib: f64) -> String {
    units::human(&format!("{:.0}", mib * 1024.0 * 1024.0), "gauge", "bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_label_and_value_has_room() {
        for row in &ROWS {
            assert!("guest ".len() + row.label.len() < LABEL, "{}", row.label);
            for figure in [0, 1, 999, 48_211, 1_023_999] {
                assert!(row.words(figure).chars().count() <= VALUE, "{}", row.words(figure));
            }
        }
        assert_eq!(percent(331.0), "33.1%");
        assert_eq!((micros(12_500.0), mib(1536.0)), ("12.5 ms".to_owned(), "1.5 GiB".to_owned()));
    }
}
