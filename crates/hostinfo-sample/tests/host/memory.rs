//! Which NUMA nodes hold a guest's memory.

use hostinfo_catalog::source;
use hostinfo_sample::Lack;

use crate::qemu::{Qemu, ask, at};

/// A guest whose vCPU runs on node 0 of two.
fn on_two_nodes(status: &str) -> Qemu {
    let qemu = Qemu::new();
    qemu.0.write("proc/7/status", status);
    qemu.thread(8, "CPU 0/KVM", 1, 1);
    let stat =
        format!("8 (CPU 0/KVM) S 1 7 7 0 -1 4 9 0 5 0 6 7 0 0 20 0 3 0 100 {}1\n", "0 ".repeat(16));
    qemu.0.write("proc/7/task/8/stat", stat);
    qemu.0.write("sys/devices/system/node/online", "0-1\n");
    qemu.0.write("sys/devices/system/node/node0/cpulist", "0-1\n");
    qemu.0.write("sys/devices/system/node/node1/cpulist", "2-3\n");
    qemu.cgroup("a.scope/memory.current", "1\n");
    qemu
}

fn numa(qemu: &Qemu) -> [String; 2] {
    ["vm.numa.local", "vm.numa.remote"].map(|name| ask(&mut qemu.vmm(), name, 0))
}

const CACHED: &str = "anon N0=3758096384 N1=536870912\nfile N0=10737418240 N1=0\n\
                      shmem N0=67108864 N1=0\nkernel_stack N0=16384 N1=0\n";

#[test]
fn the_page_cache_of_a_guests_disks_is_on_none_of_its_nodes() {
    let qemu = on_two_nodes("VmRSS: 4260000 kB\nRssFile: 30000 kB\nHugetlbPages: 0 kB\n");
    qemu.cgroup("a.scope/memory.numa_stat", CACHED);
    assert_eq!(numa(&qemu), ["3825205248", "536870912"]);
}

#[test]
fn huge_pages_are_on_nodes_too() {
    let qemu = on_two_nodes("VmRSS: 60000 kB\nRssFile: 30000 kB\nHugetlbPages: 3072 kB\n");
    qemu.cgroup("a.scope/memory.numa_stat", "anon N0=30000000 N1=5\nfile N0=9 N1=9\n");
    let unknown = "the NUMA nodes of this guest's huge pages are not recorded";
    assert_eq!(numa(&qemu), [unknown; 2]);
    qemu.cgroup("a.scope/hugetlb.1GB.numa_stat", "total=0 N0=0 N1=0\n");
    assert_eq!(numa(&qemu), [unknown; 2]);
    qemu.cgroup("a.scope/hugetlb.2MB.numa_stat", "total=3145728 N0=1048576 N1=2097152\n");
    assert_eq!(numa(&qemu), ["31048576", "2097157"]);
    // Whoever may make cgroups there keeps nobody busy.
    for number in 0..4096 {
        qemu.cgroup(&format!("a.scope/x{number}"), "");
    }
    assert_eq!(numa(&qemu), [unknown; 2]);
}

#[test]
fn memory_that_another_cgroup_is_charged_for_is_not_said_to_be_none() {
    let unknown = "the NUMA nodes of this guest's memory are not recorded";
    let qemu = on_two_nodes("VmRSS: 4260000 kB\nRssFile: 30000 kB\nHugetlbPages: 0 kB\n");
    qemu.cgroup("a.scope/memory.numa_stat", "anon N0=0 N1=4096\nshmem N0=0 N1=0\n");
    assert_eq!(numa(&qemu), [unknown; 2]);
    // A guest whose memory is a file on a disk.
    qemu.0.write("proc/7/status", "VmRSS: 4260000 kB\nRssFile: 4200000 kB\n");
    qemu.cgroup("a.scope/memory.numa_stat", "anon N0=30000000 N1=4096\nfile N0=4300000000 N1=0\n");
    assert_eq!(numa(&qemu), [unknown; 2]);
}

#[test]
fn without_the_memory_controller_the_host_is_not_blamed() {
    let qemu = on_two_nodes("VmRSS: 4260000 kB\n");
    let untold = "this guest's process or cgroup does not report it";
    let lack = || qemu.vmm().value(source::Vmm::NumaLocal, None, at(0)).unwrap_err().lack;
    assert_eq!(numa(&qemu), [untold; 2]);
    assert!(matches!(lack(), Lack::Fault(_)));
    qemu.0.write("proc/sys/kernel/osrelease", "5.4.0-100-generic\n");
    assert_eq!(lack(), Lack::Unsupported, "there is nothing to mend");
    qemu.remove("sys/fs/cgroup/a.scope/memory.current");
    assert_eq!(numa(&qemu), ["this guest's memory is not accounted for"; 2]);
    qemu.cgroup("a.scope/memory.numa_stat", "junk\n");
    assert_eq!(numa(&qemu), [untold; 2]);
}

#[test]
fn a_list_of_nodes_that_is_none_or_cannot_be_read_is_not_one_node() {
    let qemu = on_two_nodes("VmRSS: 60000 kB\nRssFile: 30000 kB\n");
    let one = ["61440000", "0"];
    for junk in ["", "x\n", "0-99999999\n"] {
        qemu.0.write("sys/devices/system/node/online", junk);
        let told = numa(&qemu);
        assert!(told.iter().all(|told| told.starts_with("this host")), "{junk}: {told:?}");
    }
    let online = qemu.0.path().join("sys/devices/system/node/online");
    std::fs::remove_file(&online).unwrap();
    assert!(numa(&qemu)[1].starts_with("this host"), "there is no sysfs to be without");
    qemu.0.write("sys/devices/system/cpu/online", "0-3\n");
    assert_eq!(numa(&qemu), one, "a kernel without NUMA");
    assert_eq!(crate::tree::ask(&mut qemu.0.host(), "cpu.nodes", 0), "1");
    // It can be opened but not read.
    std::fs::create_dir(online).unwrap();
    let unread = "could not be read on this host";
    assert_eq!(numa(&qemu), [unread; 2]);
    assert_eq!(crate::tree::ask(&mut qemu.0.host(), "cpu.nodes", 0), unread);
}
