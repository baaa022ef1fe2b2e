//! A host with 512 CPUs, made here: 4 packages, 2 threads a core, with CPUs offline.

use std::fmt::Write as _;

use crate::tree::{Tree, ask};

/// CPU `n` and `n + 256` are threads of one core; 64 cores a package. CPU 4 and 6 are offline.
fn big_host() -> Tree {
    let tree = Tree::new(&[("sys/devices/system/cpu/online", "0-3,5,7-511\n")]);
    let mut stat = String::from("cpu  1000 0 0 1000 0 0 0 0 0 0\n");
    for cpu in (0..512).filter(|cpu| ![4, 6].contains(cpu)) {
        writeln!(stat, "cpu{cpu} 99999999 99999999 99999999 9999999999 0 0 0 0 0 0").unwrap();
        let (core, folder) = (cpu % 256, format!("sys/devices/system/cpu/cpu{cpu}"));
        let threads = match core {
            4 | 6 => format!("{}\n", core + 256),
            _ => format!("{core},{}\n", core + 256),
        };
        tree.write(&format!("{folder}/topology/core_cpus_list"), threads);
        tree.write(&format!("{folder}/topology/physical_package_id"), format!("{}\n", core / 64));
        tree.write(&format!("{folder}/cpufreq/scaling_cur_freq"), "2000000\n");
        tree.write(&format!("{folder}/cpufreq/cpuinfo_max_freq"), "3000000\n");
        tree.write(&format!("{folder}/thermal_throttle/core_throttle_count"), "1\n");
    }
    writeln!(stat, "intr 5{}\nbtime 7\nprocs_running 600", " 0".repeat(40_000)).unwrap();
    tree.write("proc/stat", stat);
    let processor = format!("processor : 0\nmodel name : Big\nflags : {}\n\n", "x ".repeat(700));
    tree.write("proc/cpuinfo", processor.repeat(512));
    tree.write("sys/devices/system/node/online", "0-3\n");
    tree
}

#[test]
fn a_host_with_512_cpus_of_which_some_are_offline_is_counted_right() {
    let tree = big_host();
    let mut host = tree.host();
    for (name, told) in [
        ("physcpus", "510"),
        ("cpu.threads", "510"),
        ("cpu.cores", "256"),
        ("cpu.sockets", "4"),
        ("cpu.nodes", "4"),
        ("cpu.model", "Big"),
        ("cpu.frequency", "2000000000"),
        ("cpu.frequency.max", "3000000000"),
        ("cpu.throttles", "256"),
        ("procs.running", "600"),
        ("host.boot", "7"),
    ] {
        assert_eq!(ask(&mut host, name, 0), told, "{name}");
    }
    assert_eq!(host.missing().next(), None);
}

#[test]
fn without_sysfs_cpus_are_counted_by_their_lines_in_stat() {
    let tree = big_host();
    std::fs::remove_dir_all(tree.path().join("sys")).unwrap();
    assert_eq!(ask(&mut tree.host(), "physcpus", 0), "510");
}

#[test]
fn a_core_number_that_two_dies_have_is_two_cores() {
    let tree = Tree::new(&[("sys/devices/system/cpu/online", "0-3\n")]);
    for cpu in 0..4 {
        let folder = format!("sys/devices/system/cpu/cpu{cpu}/topology");
        tree.write(&format!("{folder}/physical_package_id"), "0\n");
        tree.write(&format!("{folder}/core_id"), "0\n");
        tree.write(&format!("{folder}/die_id"), format!("{}\n", cpu / 2));
    }
    assert_eq!(ask(&mut tree.host(), "cpu.cores", 0), "2");
}
