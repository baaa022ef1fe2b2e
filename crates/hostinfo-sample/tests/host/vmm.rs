//! A guest's VMM that changes while it is read.

use std::time::Duration;

use hostinfo_catalog::{STATS, Source, source};
use proptest::prelude::*;

use crate::qemu::{Qemu, ask, at};
use crate::tree::Tree;

const AGAIN: &str = "ask again in 1 s";
const ENDED: &str = "this guest's VMM has ended";
const UNSEEN: &str = "hostinfod cannot see this guest's VMM";

#[test]
fn threads_that_ended_stay_in_the_sums() {
    let qemu = Qemu::new();
    qemu.thread(8, "CPU 0/KVM", 10, 1);
    qemu.thread(9, "CPU 1/KVM", 5, 2);
    let mut vmm = qemu.vmm();
    assert_eq!(ask(&mut vmm, "vm.cpu.seconds", 0), "15");
    assert_eq!(ask(&mut vmm, "vm.vcpus", 0), "2");
    qemu.ends(9);
    qemu.thread(8, "CPU 0/KVM", 11, 1);
    assert_eq!(ask(&mut vmm, "vm.cpu.seconds", 100), "16");
    assert_eq!(ask(&mut vmm, "vm.cpu.1.delay", 100), "2");
    assert_eq!((ask(&mut vmm, "vm.vcpus", 100), vmm.vcpus(at(100))), ("1".to_owned(), vec![0, 1]));
    qemu.thread(20, "CPU 1/KVM", 3, 4);
    assert_eq!(ask(&mut vmm, "vm.cpu.1.seconds", 200), "8");
    assert_eq!(ask(&mut vmm, "vm.cpu.delay", 200), "7");
    assert_eq!(ask(&mut vmm, "vm.cpu.2.delay", 200), "this guest has no such vCPU");
}

#[test]
fn a_thread_number_that_is_used_again_is_another_thread() {
    let qemu = Qemu::new();
    qemu.thread(8, "CPU 0/KVM", 10, 1);
    let mut vmm = qemu.vmm();
    assert_eq!(ask(&mut vmm, "vm.cpu.seconds", 0), "10");
    qemu.thread(8, "CPU 0/KVM", 2, 1);
    assert_eq!(ask(&mut vmm, "vm.cpu.seconds", 100), "12");
    // As in the kernel, the new thread's folder is not the old thread's.
    let task = qemu.0.path().join("proc/7/task");
    qemu.thread(99, "IO iothread1", 1, 6);
    std::fs::rename(task.join("8"), task.join("old")).unwrap();
    std::fs::rename(task.join("99"), task.join("8")).unwrap();
    assert_eq!(ask(&mut vmm, "vm.cpu.seconds", 200), "12");
    assert_eq!(ask(&mut vmm, "vm.iothread.delay", 200), "6");
}

#[test]
fn a_thread_that_is_named_late_counts_from_then_on() {
    let qemu = Qemu::new();
    qemu.thread(8, "CPU 0/KVM", 1, 1);
    qemu.thread(9, "qemu-system-x86", 1, 1);
    let mut vmm = qemu.vmm();
    assert_eq!(ask(&mut vmm, "vm.vcpus", 0), "1");
    qemu.thread(9, "CPU 1/KVM", 3, 1);
    assert_eq!(ask(&mut vmm, "vm.vcpus", 100), "2");
    assert_eq!(ask(&mut vmm, "vm.cpu.1.seconds", 100), "2");
}

#[test]
fn a_vcpus_name_is_read_once_and_nothing_twice_in_a_slot() {
    let qemu = Qemu::new();
    qemu.thread(8, "CPU 0/KVM", 1, 1);
    let mut vmm = qemu.vmm();
    assert_eq!(ask(&mut vmm, "vm.cpu.seconds", 0), "1");
    qemu.thread(8, "renamed", 2, 1);
    assert_eq!(ask(&mut vmm, "vm.cpu.seconds", 99), "1");
    assert_eq!(ask(&mut vmm, "vm.cpu.seconds", 100), "2");
}

#[test]
fn another_process_of_the_same_number_is_never_told_of() {
    for start in [Some(100), None] {
        let qemu = Qemu::new();
        qemu.thread(8, "CPU 0/KVM", 1, 1);
        let mut vmm = qemu.0.vmm(7, start);
        assert_eq!(ask(&mut vmm, "vm.memory.resident", 0), "4096");
        qemu.starts(101);
        for stat in STATS {
            if let Source::Vmm(what) = stat.source {
                let told = vmm.value(what, Some(0), at(100)).unwrap_err();
                assert_eq!(told.to_string(), ENDED, "{}", stat.name);
            }
        }
        assert!(vmm.vcpus(at(100)).is_empty());
    }
}

#[test]
fn a_process_that_is_gone_or_dead_has_ended() {
    let qemu = Qemu::new();
    let mut vmm = qemu.vmm();
    qemu.stat("qemu-system-x86", 'Z', 100);
    assert_eq!(ask(&mut vmm, "vm.memory.resident", 0), ENDED);
    std::fs::remove_dir_all(qemu.0.path().join("proc/7")).unwrap();
    assert_eq!(ask(&mut vmm, "vm.memory.resident", 100), ENDED);
}

#[test]
fn a_process_that_was_never_seen_cannot_be_seen() {
    let tree = Tree::new(&[]);
    let mut vmm = tree.vmm(7, None);
    assert_eq!(ask(&mut vmm, "vm.memory.resident", 0), UNSEEN);
    let absent = vmm.value(source::Vmm::Resident, None, at(0)).unwrap_err();
    let advice = absent.advice().unwrap();
    assert!(advice.contains("hidepid=") && advice.contains("proc/7/stat: No such"), "{advice}");
}

#[test]
fn the_proc_of_another_pid_namespace_is_not_believed() {
    let qemu = Qemu::new();
    let link = qemu.0.path().join("proc/self");
    std::os::unix::fs::symlink("1", &link).unwrap();
    assert_eq!(ask(&mut qemu.vmm(), "vm.memory.resident", 0), UNSEEN);
    std::fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink(std::process::id().to_string(), &link).unwrap();
    assert_eq!(ask(&mut qemu.vmm(), "vm.memory.resident", 0), "4096");
}

#[test]
fn a_vmm_under_another_name_is_known_by_its_threads() {
    let qemu = Qemu::new();
    qemu.stat("my guest (2)", 'S', 100);
    let mut vmm = qemu.vmm();
    let none = "the other end is not a virtual machine monitor";
    assert_eq!(ask(&mut vmm, "vm.memory.resident", 0), none);
    qemu.thread(8, "CPU 0/KVM", 1, 1);
    assert_eq!(ask(&mut vmm, "vm.memory.resident", 100), "4096");
}

#[test]
fn only_qemu_is_to_be_asked_for_names_and_not_while_it_starts() {
    let qemu = Qemu::new();
    let told = |start| {
        let value = qemu.0.vmm(7, Some(start)).value(source::Vmm::VcpuTime, None, at(0));
        value.unwrap_err()
    };
    let reason = "this guest's VMM does not name its threads";
    assert_eq!((told(100).reason.as_ref(), told(100).advice()), (reason, None), "one thread");
    qemu.thread(8, "qemu-system-x86", 1, 1);
    assert!(told(100).advice().unwrap().contains("debug-threads=on"));
    // It started 1 s after the host did.
    qemu.0.write("proc/uptime", "60.99 1.00\n");
    assert_eq!((told(100).reason.as_ref(), told(100).advice()), (reason, None), "just started");
    qemu.0.write("proc/uptime", "61.00 1.00\n");
    assert!(told(100).advice().is_some());
    for comm in ["cloud-hyperviso", "firecracker", "crosvm"] {
        qemu.stat(comm, 'S', 100);
        let absent = told(100);
        assert_eq!(absent.reason, "this guest's vCPUs have not started", "{comm}");
        assert_eq!(absent.advice(), None, "{comm}");
    }
    qemu.thread(8, "crosvm_vcpu0", 3, 1);
    assert_eq!(ask(&mut qemu.vmm(), "vm.cpu.0.seconds", 0), "3");
}

#[test]
fn a_kernel_that_counts_no_times_is_no_guest_without_delay() {
    let qemu = Qemu::new();
    qemu.thread(7, "qemu-system-x86", 0, 0);
    qemu.thread(8, "CPU 0/KVM", 0, 0);
    let mut vmm = qemu.vmm();
    assert_eq!(ask(&mut vmm, "vm.cpu.delay", 0), "this host's kernel does not report it");
    assert_eq!(ask(&mut vmm, "vm.vcpus", 0), "1");
    for tid in [7, 8] {
        let file = format!("proc/7/task/{tid}/schedstat");
        std::fs::remove_file(qemu.0.path().join(file)).unwrap();
    }
    assert_eq!(ask(&mut vmm, "vm.cpu.0.delay", 100), "this host's kernel does not report it");
    assert_eq!(ask(&mut vmm, "vm.vcpus", 100), "1");
}

#[test]
fn ratios_of_guest_and_host_speak_of_the_same_window() {
    let qemu = Qemu::new();
    let mut host = qemu.0.host();
    let mut vmm = qemu.vmm();
    let busy = source::Host::CpuShare(source::CpuShare::Busy);
    let mut step = |run, delay, busy_ticks, millis| {
        qemu.thread(8, "CPU 0/KVM", run, delay);
        qemu.0.write("proc/stat", format!("cpu  {busy_ticks} 0 0 {millis} 0 0 0 0 0 0\n"));
        vmm.sample_ratios(&mut host, at(millis));
        let ratio = match vmm.host_ratio(busy, at(millis)).unwrap() {
            Ok(value) => value.to_string(),
            Err(absent) => absent.to_string(),
        };
        (ask(&mut vmm, "vm.cpu.contention", millis), ratio, vmm.window(at(millis)))
    };
    let again = || (AGAIN.to_owned(), AGAIN.to_owned(), None);
    assert_eq!(step(10, 0, 0, 0), again());
    assert_eq!(step(11, 1, 0, 500), again());
    let (contention, share, window) = step(13, 1, 4_000, 4_000);
    assert_eq!((contention.as_str(), share.as_str()), ("0", "0.533333"));
    assert_eq!(window, Some(Duration::from_millis(3_500)));
    let (contention, share, window) = step(14, 4, 4_000, 5_000);
    assert_eq!((contention.as_str(), share.as_str()), ("0.75", "0"));
    assert_eq!(window, Some(Duration::from_secs(1)));
    assert_eq!(ask(&mut vmm, "vm.cpu.contention", 7_000), AGAIN, "nothing was sampled");
    assert!(vmm.host_ratio(source::Host::BootTime, at(5_000)).is_none());
}

#[test]
fn a_guest_whose_threads_cannot_be_told_still_has_the_hosts_ratios() {
    let qemu = Qemu::new();
    let (mut host, mut vmm) = (qemu.0.host(), qemu.vmm());
    let busy = source::Host::CpuShare(source::CpuShare::Busy);
    for millis in [0, 1_000] {
        qemu.0.write("proc/stat", format!("cpu  {millis} 0 0 {millis} 0 0 0 0 0 0\n"));
        vmm.sample_ratios(&mut host, at(millis));
    }
    assert_eq!(vmm.host_ratio(busy, at(1_000)).unwrap().unwrap().to_string(), "0.5");
    let told = ask(&mut vmm, "vm.cpu.contention", 1_000);
    assert_eq!(told, "this guest's VMM does not name its threads");
}

/// Asks for everything, twice.
fn ask_for_everything(junk: &[u8]) {
    let qemu = Qemu::new();
    qemu.thread(8, "CPU 0/KVM", 1, 1);
    qemu.0.write("proc/7/cgroup", "0::/machine-qemu\\x2d1\\x2dq.scope\n");
    let mut vmm = qemu.vmm();
    for file in ["proc/7/status", "proc/7/task/8/schedstat", "proc/7/task/9/comm"] {
        qemu.0.write(file, junk);
    }
    let own = "sys/fs/cgroup/machine-qemu\\x2d1\\x2dq.scope/";
    for file in
        ["cpu.stat", "cpu.max", "cpu.weight", "memory.max", "memory.numa_stat", "io.pressure"]
    {
        qemu.0.write(&format!("{own}{file}"), junk);
        qemu.0.write(&format!("{own}vcpu0/{file}"), junk);
    }
    qemu.0.write("sys/devices/system/node/online", "0-1");
    qemu.0.write("sys/devices/system/node/node0/cpulist", junk);
    for (file, millis) in [("proc/7/comm", 0), ("proc/7/cgroup", 100), ("proc/7/stat", 200)] {
        qemu.0.write(file, junk);
        for stat in STATS {
            if let Source::Vmm(what) = stat.source {
                let told = vmm.value(what, Some(0), at(millis));
                let told = told.map_or_else(|absent| absent.to_string(), |value| value.to_string());
                assert!(!told.contains(char::is_control), "{}: {told:?}", stat.name);
            }
        }
    }
}

#[test]
fn junk_of_any_size_is_answered() {
    ask_for_everything(&[0; 1024 * 1024]);
    ask_for_everything(&b"7 (qemu) S 1 -1 99999999999999999999 0::/../.. N0=1 ".repeat(40_000));
    ask_for_everything(&b"0::/a/b\n".repeat(5_000));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn any_bytes_are_answered(junk: Vec<u8>) {
        ask_for_everything(&junk);
    }
}
