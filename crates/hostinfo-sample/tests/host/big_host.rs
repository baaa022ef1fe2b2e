//! A host with 512 CPUs, generated here: 4 packages, 2 threads per core, and some CPUs offline.

use std::fmt::Write as _;

use crate::tree::{Tree, ask};

/// CPU `n` and `n + 256` are threads of one core; 64 cores per package. CPUs 4 and 6 are offline.
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

/// Files of a CPU's topology.
fn cpu(tree: &Tree, number: u32, files: &[(&str, &str)]) {
    for (file, text) in files {
        let path = format!("sys/devices/system/cpu/cpu{number}/topology/{file}");
        tree.write(&path, format!("{text}\n"));
    }
}

#[test]
fn sockets_without_a_number_are_told_apart_by_their_cpus() {
    for list in ["package_cpus_list", "core_siblings_list"] {
        let tree = Tree::new(&[("sys/devices/system/cpu/online", "0-7\n")]);
        for number in 0..8 {
            let first = number / 4 * 4;
            let threads = format!("{}-{}", number / 2 * 2, number / 2 * 2 + 1);
            let cpus = format!("{first}-{}", first + 3);
            cpu(&tree, number, &[("physical_package_id", "-1"), (list, &cpus)]);
            cpu(&tree, number, &[("core_id", "-1"), ("thread_siblings_list", &threads)]);
        }
        let mut host = tree.host();
        assert_eq!(ask(&mut host, "cpu.sockets", 0), "2", "{list}");
        assert_eq!(ask(&mut host, "cpu.cores", 0), "4", "{list}");
    }
}

#[test]
fn cores_of_sockets_without_a_number_are_not_taken_for_each_other() {
    let tree = Tree::new(&[("sys/devices/system/cpu/online", "0-7\n")]);
    for number in 0..8 {
        let list = if number < 4 { "0-3" } else { "4-7" };
        let core = (number % 4 / 2).to_string();
        cpu(&tree, number, &[("physical_package_id", "-1"), ("core_siblings_list", list)]);
        cpu(&tree, number, &[("core_id", &core)]);
    }
    assert_eq!(ask(&mut tree.host(), "cpu.cores", 0), "4");
}

#[test]
fn a_kernel_that_knows_neither_sockets_nor_cores_has_one_socket_and_a_core_for_each_cpu() {
    let tree = Tree::new(&[("sys/devices/system/cpu/online", "0-3\n")]);
    for number in 0..4 {
        cpu(&tree, number, &[("physical_package_id", "-1"), ("core_id", "-1")]);
    }
    let mut host = tree.host();
    assert_eq!(ask(&mut host, "cpu.sockets", 0), "1");
    assert_eq!(ask(&mut host, "cpu.cores", 0), "4");
}

#[test]
fn sockets_of_other_books_and_drawers_may_have_the_same_number() {
    let tree = Tree::new(&[("sys/devices/system/cpu/online", "0-7\n")]);
    for number in 0..8 {
        let [book, drawer] = [(number / 2 % 2).to_string(), (number / 4).to_string()];
        let files = [("physical_package_id", "1"), ("book_id", &book), ("drawer_id", &drawer)];
        cpu(&tree, number, &files);
        cpu(&tree, number, &[("core_id", &number.to_string())]);
    }
    assert_eq!(ask(&mut tree.host(), "cpu.sockets", 0), "4");
}

#[test]
fn a_list_of_cpus_that_is_longer_than_a_page_is_read_to_its_end() {
    let even: Vec<String> = (0..4096).map(|cpu| (cpu * 2).to_string()).collect();
    let list = even.join(",");
    assert!(list.len() > 4 * 4096);
    let tree = Tree::new(&[("sys/devices/system/cpu/online", &list)]);
    assert_eq!(ask(&mut tree.host(), "physcpus", 0), "4096");
    cpu(&tree, 0, &[("physical_package_id", "-1"), ("core_siblings_list", &list)]);
    cpu(&tree, 0, &[("thread_siblings_list", "0")]);
    assert_eq!(ask(&mut tree.host(), "cpu.sockets", 0), "1");
    tree.write("sys/devices/system/cpu/online", "0,".repeat(40_000));
    let told = ask(&mut tree.host(), "physcpus", 0);
    assert_eq!(told, "could not be read on this host", "longer than any kernel's");
}
