//! `/proc/diskstats`: the host's physical disks, summed.

use hostinfo_catalog::source::Disk;
use hostinfo_wire::Value;
use serde::{Deserialize, Serialize};

use crate::devices::{Devices, Row};
use crate::disk::{self, Heads};
use crate::open_files::Reader;
use crate::root::TABLE_BYTES;
use crate::tally::Sums;
use crate::text::{lines, number, words};
use crate::units::micro;
use crate::{Absent, Moment};

const LACK: Absent = Absent::unsupported("this host has no physical disk");
const UNSEEN: Absent = Absent::new(
    "this host has no physical disk",
    "there is no /sys/block or no /proc/diskstats: hostinfod needs the host's own",
);

/// Bytes in a sector of `/proc/diskstats`, whatever the disk's own sector size.
const SECTOR_BYTES: u64 = 512;

/// Major numbers of floppy and optical drives.
const REMOVABLE: [u64; 2] = [2, 11];

/// Reads, sectors read and milliseconds reading; the same for writes; milliseconds with I/O.
pub(crate) type Figures = [u64; 7];

/// The physical disks together.
pub(crate) struct Disks(Sums<7>);

/// The time in which disks had I/O to do, summed, and the number of disks.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct BusyTime {
    pub(crate) millis: u64,
    pub(crate) disks: u64,
}

pub(crate) fn read(
    roots: &Reader,
    at: Moment,
    buffer: &mut Vec<u8>,
    devices: &mut Devices<7>,
) -> Result<Disks, Absent> {
    let text = roots.kept(&["diskstats"], TABLE_BYTES, buffer).map_err(|e| e.or(UNSEEN))?;
    let heads = Heads::of(parse(text));
    let rows = parse(text).map(|(name, figures)| Row { name, figures, adds: heads.adds(name) });
    let sums = devices.add(at, rows, &mut disk::Disks::new(roots));
    match sums.devices {
        0 if roots.sys.join("block").is_dir() => Err(LACK),
        0 => Err(UNSEEN),
        _ => Ok(Disks(sums)),
    }
}

/// ```text
///  254       0 vda 119314 26478 8114146 83107 18200 41370 7653776 21662 0 9600 105578
/// ```
///
/// After the name: reads, merged, sectors, ms; writes, merged, sectors, ms; in flight, ms with I/O.
/// More fields follow since Linux 4.18 and 5.5.
pub(crate) fn parse(text: &[u8]) -> impl Iterator<Item = (&[u8], Option<Figures>)> {
    lines(text).filter_map(|line| {
        let mut words = words(line);
        let (major, _minor, name) = (number(words.next()?)?, words.next()?, words.next()?);
        if REMOVABLE.contains(&major) {
            return None;
        }
        let fields: [Option<u64>; 10] = std::array::from_fn(|_| words.next().and_then(number));
        Some((name, figures(fields)))
    })
}

fn figures(fields: [Option<u64>; 10]) -> Option<Figures> {
    let [reads, _, read_sectors, read_ms, writes, _, write_sectors, write_ms, _, busy_ms] = fields;
    Some([reads?, read_sectors?, read_ms?, writes?, write_sectors?, write_ms?, busy_ms?])
}

impl Disks {
    pub(crate) fn value(&self, what: Disk) -> Value<'static> {
        let [reads, read_sectors, read_ms, writes, write_sectors, write_ms, _] = self.0.sums;
        let sectors = |sectors: u64| Value::Whole(sectors.saturating_mul(SECTOR_BYTES));
        let millis = |millis: u64| micro(millis.saturating_mul(1000));
        match what {
            Disk::ReadBytes => sectors(read_sectors),
            Disk::ReadOps => Value::Whole(reads),
            Disk::ReadSeconds => millis(read_ms),
            Disk::WriteBytes => sectors(write_sectors),
            Disk::WriteOps => Value::Whole(writes),
            Disk::WriteSeconds => millis(write_ms),
        }
    }

    pub(crate) fn busy_time(&self) -> BusyTime {
        let [.., millis] = self.0.sums;
        BusyTime { millis, disks: self.0.devices }
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
    fn a_line_is_read_in_every_kernels_length() {
        let wanted = [("sda", Some([1, 3, 4, 5, 7, 8, 10]))];
        for line in [
            "   8       0 sda 1 2 3 4 5 6 7 8 9 10 11",
            "   8       0 sda 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15\n",
            "8 0 sda 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17\n",
        ] {
            assert_eq!(rows(line), wanted);
        }
    }

    #[test]
    fn optical_and_floppy_drives_are_no_disks() {
        assert_eq!(rows("11 0 sr0 1 2 3 4 5 6 7 8 9 10 11\n2 0 fd0 1 2 3 4 5 6 7 8 9 10 11"), []);
    }

    #[test]
    fn a_disk_whose_figures_cannot_be_read_is_still_there() {
        assert_eq!(rows("8 1 sda1 1 2 3 4"), [("sda1", None)]);
        assert_eq!(rows("8 0 sda 1 2 -3 4 5 6 7 8 9 10 11"), [("sda", None)]);
        assert_eq!(rows("junk\n\n8 0"), []);
    }

    #[test]
    fn sectors_have_512_bytes_and_times_milliseconds() {
        let disks = Disks(Sums { sums: [1, 2, 1_500, 4, 5, u64::MAX, 7], devices: 2 });
        assert_eq!(disks.value(Disk::ReadBytes).to_string(), "1024");
        assert_eq!(disks.value(Disk::ReadSeconds).to_string(), "1.5");
        assert_eq!(disks.value(Disk::WriteSeconds), Value::Micro(i64::MAX));
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_answer(bytes: Vec<u8>) {
            let _ = parse(&bytes).count();
        }
    }
}
