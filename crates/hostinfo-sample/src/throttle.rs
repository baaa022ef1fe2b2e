//! `/sys/devices/system/cpu/cpu*/thermal_throttle`: cores that were slowed down because of heat.

use crate::Absent;
use crate::open_files::Reader;
use crate::tally::{Newcomers, Tally};
use crate::text::only_number;

/// Intel's CPUs have the files, but a virtual machine does not.
const LACK: Absent = Absent::unsupported("this host has no count of thermal throttling");

const UNTOLD: Absent = Absent::untold("core_throttle_count holds no number");

/// How often cores were throttled since boot, summed over all cores. The threads of a core count
/// the same, so one of each core is read. The file holds a number: `17`.
pub(crate) fn read(
    cores: &[u32],
    roots: &Reader,
    buffer: &mut Vec<u8>,
    tally: &mut Tally<1>,
) -> Result<u64, Absent> {
    let mut lack = None;
    let rows = cores.iter().filter_map(|cpu| {
        match roots.of_cpu(*cpu, "thermal_throttle/core_throttle_count", buffer) {
            Ok(text) => Some((cpu.to_ne_bytes(), only_number(text).map(|count| [count]))),
            Err(error) => {
                lack.get_or_insert_with(|| error.or(LACK));
                None
            }
        }
    });
    let sums = tally.add(Newcomers::CountFromNow, rows);
    let [count] = sums.sums;
    if sums.devices == 0 { Err(lack.unwrap_or(UNTOLD).of(cores.len())) } else { Ok(count) }
}
