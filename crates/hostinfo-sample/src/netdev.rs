//! `/proc/net/dev`: the host's physical interfaces, summed.

use hostinfo_catalog::source::{Direction, Traffic};
use hostinfo_wire::Value;

use crate::devices::{Adds, Devices, Row};
use crate::interface;
use crate::open_files::Reader;
use crate::root::TABLE_BYTES;
use crate::tally::Sums;
use crate::text::{lines, number, words};
use crate::{Absent, Moment};

const LACK: Absent = Absent::new(
    "this host has no physical interface",
    "no interface of /proc/net/dev has a device in /sys/class/net: hostinfod must run in the \
     host's own network namespace",
);

/// Bytes, packets, errors and drops, received and then sent.
pub(crate) type Figures = [u64; 8];

/// The physical interfaces together.
pub(crate) struct Interfaces(Sums<8>);

pub(crate) fn read(
    roots: &Reader,
    at: Moment,
    buffer: &mut Vec<u8>,
    devices: &mut Devices<8>,
) -> Result<Interfaces, Absent> {
    let text = roots.kept(&["net/dev"], TABLE_BYTES, buffer).map_err(|e| e.or(LACK))?;
    let rows = parse(text).map(|(name, figures)| Row { name, figures, adds: Adds::Device });
    let sums = devices.add(at, rows, &mut interface::Interfaces::new(roots));
    if sums.devices == 0 { Err(LACK) } else { Ok(Interfaces(sums)) }
}

/// ```text
/// Inter-|   Receive                                                |  Transmit
///  face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
///   eth0: 348951220   15785    0    0    0     0          0         0   989620   11090    0    0    0     0       0          0
/// ```
///
/// Old kernels leave no blank after the colon. A name may contain anything but blanks and slashes, so the last
/// colon ends it.
pub(crate) fn parse(text: &[u8]) -> impl Iterator<Item = (&[u8], Option<Figures>)> {
    lines(text).filter_map(|line| {
        let colon = line.iter().rposition(|byte| *byte == b':')?;
        let (name, rest) = line.split_at_checked(colon)?;
        let mut words = words(rest.get(1..)?);
        let fields: [Option<u64>; 16] = std::array::from_fn(|_| words.next().and_then(number));
        Some((name.trim_ascii(), figures(fields)))
    })
}

fn figures(fields: [Option<u64>; 16]) -> Option<Figures> {
    let [rx_bytes, rx_packets, rx_errors, rx_drops, _, _, _, _, sent @ ..] = fields;
    let [tx_bytes, tx_packets, tx_errors, tx_drops, ..] = sent;
    Some([
        rx_bytes?,
        rx_packets?,
        rx_errors?,
        rx_drops?,
        tx_bytes?,
        tx_packets?,
        tx_errors?,
        tx_drops?,
    ])
}

impl Interfaces {
    pub(crate) fn value(&self, direction: Direction, what: Traffic) -> Value<'static> {
        let [rx @ .., _, _, _, _] = self.0.sums;
        let [_, _, _, _, tx @ ..] = self.0.sums;
        let [bytes, packets, errors, drops] = match direction {
            Direction::Rx => rx,
            Direction::Tx => tx,
        };
        Value::Whole(match what {
            Traffic::Bytes => bytes,
            Traffic::Packets => packets,
            Traffic::Drops => drops,
            Traffic::Errors => errors,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rows(text: &str) -> Vec<(&str, Option<Figures>)> {
        parse(text.as_bytes()).map(|(name, row)| (str::from_utf8(name).unwrap(), row)).collect()
    }

    #[test]
    fn a_name_ends_at_the_last_colon_with_or_without_a_blank() {
        let wanted = Some([1, 2, 3, 4, 9, 10, 11, 12]);
        for (line, name) in [
            ("  eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16", "eth0"),
            ("eth0:1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n", "eth0"),
            ("enp5s0f0np0.4094: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16", "enp5s0f0np0.4094"),
            ("a:b|%s: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16", "a:b|%s"),
        ] {
            assert_eq!(rows(line), [(name, wanted)], "{line}");
        }
    }

    #[test]
    fn the_head_is_no_interface_and_junk_has_no_figures() {
        assert_eq!(rows("Inter-|   Receive   |  Transmit\n face |bytes    packets errs\n"), []);
        assert_eq!(rows("eth0: 1 2 -3"), [("eth0", None)]);
    }

    #[test]
    fn errors_stand_before_drops_in_the_kernels_file() {
        let all = Interfaces(Sums { sums: [1, 2, 3, 4, 5, 6, 7, 8], devices: 1 });
        assert_eq!(all.value(Direction::Rx, Traffic::Errors), Value::Whole(3));
        assert_eq!(all.value(Direction::Rx, Traffic::Drops), Value::Whole(4));
        assert_eq!(all.value(Direction::Tx, Traffic::Bytes), Value::Whole(5));
        assert_eq!(all.value(Direction::Tx, Traffic::Drops), Value::Whole(8));
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_answer(bytes: Vec<u8>) {
            let _ = parse(&bytes).count();
        }
    }
}
