//! `/proc/PID/stat` and `status`: what kind of process it is, and its memory.

use std::path::Path;

use crate::Absent;
use crate::root::STATUS_BYTES;
use crate::text::amounts;
use crate::vmm::file_counters::FileCounters;
use crate::vmm::name::is_vmm;
use crate::vmm::numa::Holds;
use crate::vmm::process::{Process, UNSEEN};

const UNTOLD: Absent = Absent::untold_of_guest("/proc/PID/status or stat lacks a figure");

/// The most memory that a program and its libraries are believed to occupy; QEMU 7.2 takes 23 MB.
const PROGRAM_BYTES_MAX: u64 = 128 * 1024 * 1024;

/// The contents of the two files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Status {
    /// Whether its name is a VMM's.
    pub(crate) is_vmm: bool,
    /// How many threads it has.
    pub(crate) threads: Option<u64>,
    major_faults: Option<u64>,
    memory: Memory,
}

/// In bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Memory {
    resident: Option<u64>,
    /// The part of the resident memory that is pages of files outside tmpfs.
    files: Option<u64>,
    swapped: Option<u64>,
    huge: Option<u64>,
}

pub(crate) fn read(
    process: &mut Process,
    buffer: &mut Vec<u8>,
    counters: &mut FileCounters<1>,
) -> Result<Status, Absent> {
    let memory = process.read("status", STATUS_BYTES, buffer).map(parse);
    // This also shows whether the text was this process's.
    let stat = process.stat(buffer)?;
    let memory = memory.map_err(|e| e.or(UNSEEN))?;
    let [major_faults] = counters.add(Path::new("stat"), [stat.major_faults]);
    Ok(Status { is_vmm: is_vmm(stat.comm), threads: stat.threads, major_faults, memory })
}

/// ```text
/// VmRSS:       36924 kB
/// RssFile:     21832 kB
/// VmSwap:          0 kB
/// HugetlbPages:    0 kB
/// ```
pub(crate) fn parse(text: &[u8]) -> Memory {
    let figures = amounts(text, ["VmRSS", "RssFile", "VmSwap", "HugetlbPages"]);
    let [resident, files, swapped, huge] = figures.map(Option::flatten);
    Memory { resident, files, swapped, huge }
}

impl Status {
    /// Bytes in memory. VmRSS does not include huge pages, which may be all of a guest's memory.
    pub(crate) fn resident(&self) -> Result<u64, Absent> {
        let resident = self.memory.resident.ok_or(UNTOLD)?;
        Ok(resident.saturating_add(self.memory.huge.unwrap_or(0)))
    }

    /// How much memory `numa.rs` must find in cgroups. Guest memory may be a file of its own.
    pub(crate) fn holds(&self) -> Holds {
        let Memory { resident, files, huge, .. } = self.memory;
        let small = resident
            .zip(files)
            .map(|(all, files)| all.saturating_sub(files.min(PROGRAM_BYTES_MAX)));
        Holds { small: small.unwrap_or(0), huge: huge.unwrap_or(0) }
    }

    /// Bytes swapped out, without what the VMM shares with another process.
    pub(crate) fn swapped(&self) -> Result<u64, Absent> {
        self.memory.swapped.ok_or(UNTOLD)
    }

    pub(crate) fn major_faults(&self) -> Result<u64, Absent> {
        self.major_faults.ok_or(UNTOLD)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn status(text: &str) -> Status {
        Status { is_vmm: true, threads: None, major_faults: None, memory: parse(text.as_bytes()) }
    }

    #[test]
    fn memory_is_in_bytes_and_has_huge_pages_in_it() {
        // Linux 6.18.
        let text = "Name:\tqemu-system-x86\nVmPeak:\t 1554840 kB\nVmRSS:\t   36924 kB\n\
                    RssAnon:\t   15092 kB\nVmSwap:\t       8 kB\nHugetlbPages:\t    2048 kB\n";
        assert_eq!(status(text).resident(), Ok((36924 + 2048) * 1024));
        assert_eq!(status(text).swapped(), Ok(8192));
    }

    #[test]
    fn a_program_in_memory_is_not_its_guests() {
        let holds = |text| status(text).holds();
        let text = "VmRSS: 182580 kB\nRssFile: 22892 kB\nHugetlbPages: 2048 kB\n";
        assert_eq!(holds(text), Holds { small: (182_580 - 22_892) * 1024, huge: 2048 * 1024 });
        let text = "VmRSS: 4194304 kB\nRssFile: 4000000 kB\n";
        assert_eq!(holds(text).small, (4_194_304 - 131_072) * 1024, "the guest is a file");
        assert_eq!(holds("VmRSS: 182580 kB\n"), Holds { small: 0, huge: 0 });
    }

    #[test]
    fn an_old_kernel_does_not_tell_huge_pages() {
        // Linux 3.10.
        let text = "VmRSS:\t   36924 kB\nVmSwap:\t       0 kB\nThreads:\t6\n";
        assert_eq!((status(text).resident(), status(text).swapped()), (Ok(36924 * 1024), Ok(0)));
    }

    #[test]
    fn a_figure_that_is_no_number_is_missing_alone() {
        let status = status("VmRSS: -1 kB\nVmSwap: 4 kB\nHugetlbPages: 18446744073709551615 kB\n");
        assert_eq!((status.resident(), status.swapped()), (Err(UNTOLD), Ok(4096)));
        assert_eq!(status.major_faults(), Err(UNTOLD));
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_answer(bytes: Vec<u8>, text in "(VmRSS|VmSwap): ?[0-9 kB-]{0,30}") {
            parse(&bytes);
            parse(text.as_bytes());
        }
    }
}
