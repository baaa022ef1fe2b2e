//! `/sys/devices/system/cpu/cpu*/cpufreq`: clock frequencies.

use std::time::{Duration, Instant};

use crate::open_files::Reader;
use crate::text::only_number;
use crate::{Absent, Moment};

/// No CPU has a cpufreq driver, as in a virtual machine or on a machine whose firmware controls the
/// clocks itself.
const LACK: Absent = Absent::unsupported("this host has no figures of its clock frequency");

/// How long reading the clocks may take. Kernels before 5.18 wait 10 ms for the clock of each CPU
/// that was not read for a second: all of 512 CPUs would delay every guest by 5 s.
const BUDGET: Duration = Duration::from_millis(50);

/// The mean of a file in hertz, over the CPUs that have it, as far as time allows. Each slot starts
/// with a different CPU. The file holds kilohertz, such as `2450000`, or `<unknown>`.
pub(crate) fn mean(
    file: &str,
    cpus: &[u32],
    at: Moment,
    roots: &Reader,
    buffer: &mut Vec<u8>,
) -> Result<u64, Absent> {
    let begun = Instant::now();
    let first = usize::try_from(at.slot()).unwrap_or(0) % cpus.len().max(1);
    let (mut sum, mut count) = (0u128, 0u128);
    let mut lack = None;
    for cpu in cpus.iter().cycle().skip(first).take(cpus.len()) {
        match roots.of_cpu(*cpu, file, buffer) {
            Ok(text) => {
                if let Some(kilohertz) = only_number(text) {
                    sum += u128::from(kilohertz) * 1000;
                    count += 1;
                }
            }
            Err(error) => {
                lack.get_or_insert_with(|| error.or(LACK));
            }
        }
        if begun.elapsed() > BUDGET {
            break;
        }
    }
    let mean = sum.checked_div(count).ok_or(lack.unwrap_or(LACK).of(cpus.len()))?;
    Ok(u64::try_from(mean).unwrap_or(u64::MAX))
}
