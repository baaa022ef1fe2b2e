//! When files are read, and what happens to their figures from one sample to the next.

use std::time::Duration;

use crate::tree::{Tree, ask, ask_over};
use hostinfo_sample::{HostWindow, Moment};

const AGAIN: &str = "ask again in 1 s";

#[test]
fn a_kernel_that_measures_pressure_only_when_told_to_is_no_fault_and_has_its_remedy() {
    let tree = Tree::new(&[("proc/sys/kernel/osrelease", "5.14.0-503.el9.x86_64\n")]);
    let mut host = tree.host();
    let told = ask(&mut host, "pressure.cpu.some.avg10", 0);
    assert_eq!(told, "this host does not measure pressure");
    assert_eq!(host.missing().count(), 0, "an alert would never end");
    let without: Vec<_> = host.without().map(|(_, absent)| absent.without()).collect();
    let [without] = without.as_slice() else { panic!("{without:?}") };
    assert!(without.contains("; to turn it on, boot the host with psi=1"), "{without}");
}

#[test]
fn all_who_ask_in_one_step_of_the_grid_get_the_same_sample() {
    let tree = Tree::new(&[("proc/loadavg", "1.00 2.00 3.00 1/1 1\n")]);
    let mut host = tree.host();
    assert_eq!(ask(&mut host, "loadavg.1", 0), "1");
    tree.write("proc/loadavg", "4.00 5.00 6.00 1/1 1\n");
    assert_eq!(ask(&mut host, "loadavg.15", 99), "3");
    assert_eq!(ask(&mut host, "loadavg.15", 100), "6");
}

#[test]
fn only_files_that_were_asked_for_are_read() {
    let tree = Tree::new(&[("proc/loadavg", "1.00 2.00 3.00 1/1 1\n")]);
    let mut host = tree.host();
    ask(&mut host, "loadavg.1", 0);
    tree.write("proc/meminfo", "MemTotal: 1 kB\n");
    assert_eq!(ask(&mut host, "memory.total", 0), "1024");
    assert_eq!(host.missing().count(), 0);
}

#[test]
fn a_source_that_is_missing_is_told_to_the_administrator_once() {
    let tree = Tree::new(&[]);
    let mut host = tree.host();
    for millis in [0, 50, 1_000, 2_000] {
        for name in ["loadavg.1", "loadavg.5"] {
            assert_eq!(ask(&mut host, name, millis), "could not be read on this host");
        }
    }
    let missing: Vec<_> = host.missing().collect();
    let [(file, absent)] = missing[..] else { panic!("{missing:?}") };
    assert_eq!(file, "/proc/loadavg");
    let advice = absent.advice().unwrap();
    assert!(
        advice.contains("the host's own /proc") && advice.contains("proc/loadavg: No such"),
        "{advice}"
    );
}

#[test]
fn a_lack_of_64_cpus_is_reported_once_and_is_no_fault() {
    let tree = Tree::new(&[("sys/devices/system/cpu/online", "0-63\n")]);
    for cpu in 0..64 {
        let folder = format!("sys/devices/system/cpu/cpu{cpu}/topology");
        tree.write(&format!("{folder}/physical_package_id"), "0\n");
        tree.write(&format!("{folder}/thread_siblings_list"), format!("{cpu}\n"));
    }
    let mut host = tree.host();
    for slot in 0..200 {
        for name in ["cpu.frequency", "cpu.frequency.max", "cpu.throttles"] {
            let told = ask(&mut host, name, slot * 100);
            assert!(told.starts_with("this host has no "), "{told}");
        }
    }
    let without: Vec<_> = host.without().map(|(file, absent)| (file, absent.count)).collect();
    let throttles = "cpu*/thermal_throttle/core_throttle_count";
    assert_eq!(without, [("cpu*/cpufreq/scaling_cur_freq", 64), (throttles, 64)]);
    assert_eq!((host.missing().count(), host.failures()), (0, 0));
}

#[test]
fn clocks_that_cannot_be_read_are_one_fault_with_a_count() {
    let tree = Tree::new(&[("sys/devices/system/cpu/online", "0-63\n")]);
    for cpu in 0..64 {
        // A folder cannot be read as a file.
        tree.write(&format!("sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_cur_freq/x"), "");
    }
    let mut host = tree.host();
    for slot in 0..200 {
        assert_eq!(ask(&mut host, "cpu.frequency", slot * 100), "could not be read on this host");
    }
    let missing: Vec<_> = host.missing().collect();
    let [(_, absent)] = missing[..] else { panic!("{missing:?}") };
    let advice = absent.advice().unwrap();
    assert!(advice.contains("(64 times; first ") && advice.contains("/cpu0/cpufreq"), "{advice}");
}

#[test]
fn a_host_without_pressure_is_told_what_its_kernel_and_its_owner_make_of_it() {
    for (release, line, told) in [
        ("6.12.9-amd64", "ro quiet", "this host does not measure pressure"),
        ("4.18.0-513.el8.x86_64", "ro", "this host does not measure pressure"),
        ("5.14.0-427.el9.x86_64", "ro psi=0", "this host does not measure pressure"),
        ("3.10.0-1160.el7.x86_64", "ro", "this host's kernel cannot measure pressure"),
    ] {
        let tree = Tree::new(&[("proc/sys/kernel/osrelease", release), ("proc/cmdline", line)]);
        let mut host = tree.host();
        for resource in ["cpu", "memory", "io"] {
            let name = format!("pressure.{resource}.some.avg60");
            assert_eq!(ask(&mut host, &name, 0), told, "{release}");
        }
        let counts = (host.missing().count(), host.without().count());
        assert_eq!(counts, (0, 1), "an alert would never end: {release}");
    }
}

#[test]
fn no_reason_names_a_file() {
    let tree = Tree::new(&[]);
    let mut host = tree.host();
    for stat in hostinfo_catalog::STATS {
        if let hostinfo_catalog::Source::Host(_) = stat.source {
            let told = ask(&mut host, stat.name, 0);
            assert!(!told.contains(['/', '_']) && !told.contains("error"), "{}: {told}", stat.name);
        }
    }
}

#[test]
fn topology_is_read_again_when_other_cpus_are_online() {
    let cpu = "sys/devices/system/cpu/";
    let tree = Tree::new(&[(&format!("{cpu}online"), "0-1\n")]);
    for number in 0..4 {
        tree.write(&format!("{cpu}cpu{number}/topology/physical_package_id"), "0\n");
        tree.write(&format!("{cpu}cpu{number}/topology/core_id"), number.to_string());
    }
    let mut host = tree.host();
    assert_eq!(ask(&mut host, "cpu.cores", 0), "2");
    tree.write(&format!("{cpu}cpu1/topology/core_id"), "0");
    assert_eq!(ask(&mut host, "cpu.cores", 1_000), "2");
    tree.write(&format!("{cpu}online"), "0-3\n");
    assert_eq!(ask(&mut host, "cpu.cores", 2_000), "3");
    assert_eq!(ask(&mut host, "physcpus", 2_000), "4");
}

#[test]
fn the_model_is_read_once() {
    let tree = Tree::new(&[("proc/cpuinfo", "model name : A\n")]);
    let mut host = tree.host();
    assert_eq!(ask(&mut host, "cpu.model", 0), "A");
    tree.write("proc/cpuinfo", "model name : B\n");
    assert_eq!(ask(&mut host, "cpu.model", 60_000), "A");
}

#[test]
fn cpu_time_never_falls() {
    let tree = Tree::new(&[("proc/stat", "cpu  100 0 0 500 50 0 0 0 20 0\n")]);
    let mut host = tree.host();
    assert_eq!(ask(&mut host, "cpu.seconds.idle", 0), "5");
    assert_eq!(ask(&mut host, "cpu.seconds.user", 0), "0.8");
    tree.write("proc/stat", "cpu  101 0 0 499 49 0 0 0 22 0\n");
    assert_eq!(ask(&mut host, "cpu.seconds.idle", 1_000), "5");
    assert_eq!(ask(&mut host, "cpu.seconds.user", 1_000), "0.8");
    assert_eq!(ask(&mut host, "cpu.seconds.guest", 1_000), "0.22");
}

#[test]
fn disks_and_interfaces_that_come_and_go_leave_sums_that_only_grow() {
    let tree = Tree::new(&[]);
    for path in ["block/sda", "block/sdb", "class/net/eth0", "class/net/eth1"] {
        tree.write(&format!("sys/{path}/device/vendor"), "x");
    }
    let mut host = tree.host();
    let mut step = |first: Option<u64>, second: Option<u64>, millis| {
        let (mut disks, mut interfaces) = (String::new(), String::new());
        for (number, letter, figure) in [(0, 'a', first), (1, 'b', second)] {
            let Some(figure) = figure else { continue };
            disks += &format!("8 0 sd{letter} {figure} 0 0 0 0 0 0 0 0 0 0\n");
            interfaces += &format!("eth{number}:{figure} 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n");
        }
        tree.write("proc/diskstats", disks);
        tree.write("proc/net/dev", interfaces);
        let told = ask(&mut host, "disk.read.ops", millis);
        assert_eq!(told.parse().ok(), ask(&mut host, "net.rx.bytes", millis).parse::<u64>().ok());
        told
    };
    assert_eq!(step(Some(100), Some(1_000), 0), "1100");
    assert_eq!(step(Some(110), None, 100), "1110");
    assert_eq!(step(Some(120), Some(5), 200), "1125");
    assert_eq!(step(Some(3), Some(6), 300), "1129");
    assert_eq!(step(None, None, 400), "this host has no physical disk");
    assert_eq!(step(Some(1), None, 500), "1130");
}

#[test]
fn ratios_of_cpus_and_disks_speak_of_the_same_window() {
    let tree = Tree::new(&[("sys/block/sda/device/vendor", "x")]);
    let (mut host, mut window) = (tree.host(), HostWindow::default());
    let mut at = |busy: u64, idle: u64, iowait: u64, steal: u64, millis: u64| {
        tree.write("proc/stat", format!("cpu  {busy} 0 0 {idle} {iowait} 0 0 {steal} 0 0\n"));
        tree.write("proc/diskstats", format!("8 0 sda 0 0 0 0 0 0 0 0 0 {} 0\n", busy * 10));
        let ratios = ["cpu.busy", "cpu.iowait", "cpu.steal", "disk.busy"]
            .map(|name| ask_over(&mut window, &mut host, name, millis));
        let span = window.span(Moment::new(Duration::from_millis(millis)));
        (ratios, span.map(|span| span.as_millis()))
    };
    let none = || [AGAIN; 4].map(str::to_owned);
    let told = |ratios: [&str; 4]| ratios.map(str::to_owned);
    assert_eq!(at(0, 0, 0, 0, 0), (none(), None));
    assert_eq!(at(0, 50, 0, 0, 500), (none(), None));
    assert_eq!(
        at(50, 40, 10, 10, 1_000),
        (told(["0.545455", "0.090909", "0.090909", "0.5"]), Some(1_000))
    );
    assert_eq!(at(50, 140, 10, 10, 3_000).1, Some(2_000));
    assert!(host.missing().next().is_none(), "that there is no ratio yet is nothing to mend");
}

#[test]
fn a_ratio_does_not_tell_a_guest_when_another_asked() {
    let tree = Tree::new(&[]);
    let ask_at = |with_neighbour| {
        let (mut host, mut window) = (tree.host(), HostWindow::default());
        let mut neighbour = HostWindow::default();
        let mut told = Vec::new();
        for (millis, busy) in [(0u64, 0u64), (2_000, 150), (4_000, 160)] {
            tree.write(
                "proc/stat",
                format!("cpu  {busy} 0 0 {} 0 0 0 0 0 0\n", millis / 10 - busy),
            );
            if with_neighbour || millis != 2_000 {
                ask_over(&mut neighbour, &mut host, "cpu.busy", millis);
            }
            if millis != 2_000 {
                told.push(ask_over(&mut window, &mut host, "cpu.busy", millis));
            }
        }
        told.push(format!("{:?}", window.span(Moment::new(Duration::from_secs(4)))));
        told
    };
    assert_eq!(ask_at(true), [AGAIN, "0.4", "Some(4s)"]);
    assert_eq!(ask_at(true), ask_at(false));
}

#[test]
fn a_host_without_diskstats_lacks_the_disks_share_alone() {
    let tree = Tree::new(&[("proc/stat", "cpu  0 0 0 0 0 0 0 0 0 0\n")]);
    let (mut host, mut window) = (tree.host(), HostWindow::default());
    assert_eq!(ask_over(&mut window, &mut host, "cpu.busy", 0), AGAIN);
    assert_eq!(host.missing().count(), 0, "nobody asked for disks");
    tree.write("proc/stat", "cpu  1 0 0 3 0 0 0 0 0 0\n");
    assert_eq!(ask_over(&mut window, &mut host, "cpu.busy", 1_000), "0.25");
    assert_eq!(
        ask_over(&mut window, &mut host, "disk.busy", 1_000),
        "this host has no physical disk"
    );
}

#[test]
fn throttles_are_counted_once_a_core() {
    let cpu = "sys/devices/system/cpu/";
    let tree = Tree::new(&[(&format!("{cpu}online"), "0-3\n")]);
    for (number, threads, throttles) in
        [(0, "0,2", "10"), (1, "1,3", "5"), (2, "0,2", "10"), (3, "1,3", "5")]
    {
        let folder = format!("{cpu}cpu{number}");
        tree.write(&format!("{folder}/topology/physical_package_id"), "0\n");
        tree.write(&format!("{folder}/topology/thread_siblings_list"), threads);
        tree.write(&format!("{folder}/thermal_throttle/core_throttle_count"), throttles);
    }
    let mut host = tree.host();
    assert_eq!(ask(&mut host, "cpu.throttles", 0), "15");
    // CPU 0 goes offline: its core is now read at CPU 2, whose count must not be added again.
    tree.write(&format!("{cpu}online"), "1-3\n");
    tree.write(&format!("{cpu}cpu2/topology/thread_siblings_list"), "2");
    assert_eq!(ask(&mut host, "cpu.throttles", 1_000), "15");
    tree.write(&format!("{cpu}cpu2/thermal_throttle/core_throttle_count"), "11");
    assert_eq!(ask(&mut host, "cpu.throttles", 2_000), "16");
}
