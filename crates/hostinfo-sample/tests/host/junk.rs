//! Files with arbitrary contents.

use crate::tree::{Tree, ask};
use hostinfo_catalog::{STATS, Source};
use proptest::prelude::*;

const FILES: [&str; 18] = [
    "proc/loadavg",
    "proc/stat",
    "proc/cpuinfo",
    "proc/meminfo",
    "proc/vmstat",
    "proc/diskstats",
    "proc/net/dev",
    "proc/pressure/cpu",
    "proc/pressure/memory",
    "proc/pressure/io",
    "proc/sys/kernel/hostname",
    "proc/sys/kernel/osrelease",
    "sys/devices/system/cpu/online",
    "sys/devices/system/node/online",
    "sys/devices/system/cpu/cpu0/topology/core_id",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq",
    "sys/class/dmi/id/sys_vendor",
    "sys/kernel/mm/ksm/pages_sharing",
];

/// Asks for everything, three times, more than a second apart.
fn ask_for_everything(junk: &[u8]) {
    let tree = Tree::new(&[]);
    for file in FILES {
        tree.write(file, junk);
    }
    let mut host = tree.host();
    for millis in [0, 1_000, 5_000] {
        for stat in STATS {
            if let Source::Host(_) = stat.source {
                let told = ask(&mut host, stat.name, millis);
                assert!(!told.contains(char::is_control), "{}: {told:?}", stat.name);
            }
        }
    }
}

#[test]
fn junk_of_any_size_is_answered() {
    ask_for_everything(&[0; 1024 * 1024]);
    ask_for_everything(&b"cpu 1 -1 99999999999999999999 ".repeat(40_000));
    ask_for_everything(&b"8 0 sda 1 2 3 4 5 6 7 8 9 10 11\n".repeat(40_000));
    ask_for_everything(&b"x".repeat(5 * 1024 * 1024));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn any_bytes_are_answered(junk: Vec<u8>) {
        ask_for_everything(&junk);
    }
}
