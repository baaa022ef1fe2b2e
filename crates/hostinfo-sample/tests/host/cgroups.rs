//! Which cgroups of a VMM are its guest's own.

use hostinfo_sample::Vmm;

use crate::qemu::{KERNEL_THREAD, PROCESS, Qemu, ask, at};

pub(crate) const NO_OWN: &str = "this guest has no cgroup of its own";
const AGAIN: &str = "ask again in 1 s";
const ENDED: &str = "this guest's VMM has ended";

fn ask_all(vmm: &mut Vmm, millis: u64) -> [String; 3] {
    ["vm.cpu.weight", "vm.pressure.cpu.some.seconds", "vm.memory.limit"]
        .map(|name| ask(vmm, name, millis))
}

/// The files of a cgroup that [`ask_all`] reads.
fn with_figures(qemu: &Qemu, cgroup: &str) -> [String; 3] {
    qemu.cgroup(&format!("{cgroup}/cpu.weight"), "300\n");
    qemu.cgroup(&format!("{cgroup}/cpu.pressure"), "some avg10=0.00 total=1000000\n");
    qemu.cgroup(&format!("{cgroup}/memory.max"), "4096\n");
    ["300", "1", "4096"].map(str::to_owned)
}

#[test]
fn the_kernels_threads_and_a_guests_helpers_leave_its_cgroup_its_own() {
    let qemu = Qemu::new();
    let told = with_figures(&qemu, "a.scope");
    for (pid, comm, parent, flags) in [
        (11, "kvm-nx-lpage-recovery-7", 2, KERNEL_THREAD),
        (12, "vhost-7", 2, KERNEL_THREAD),
        (13, "swtpm", 10, PROCESS),
        (14, "virtiofsd", 10, PROCESS),
        (15, "virt-launcher", 1, PROCESS),
        (16, "virtqemud", 15, PROCESS),
        (17, "bash", 1, PROCESS),
        (18, "qemu-nbd", 1, PROCESS),
        // A child that QEMU has forked and that has not yet run another program.
        (19, "qemu-system-x86", 7, PROCESS),
    ] {
        qemu.beside(pid, comm, parent, flags);
    }
    qemu.cgroup("a.scope/cgroup.procs", "7\n11\n12\n13\n14\n15\n16\n17\n18\n19\n");
    assert_eq!(ask_all(&mut qemu.vmm(), 0), told);
}

#[test]
fn a_second_vmm_makes_a_cgroup_anothers_as_well() {
    for comm in ["qemu-system-x86", "qemu-kvm", "kvm", "cloud-hyperviso", "firecracker"] {
        let qemu = Qemu::new();
        let told = with_figures(&qemu, "a.scope");
        let mut vmm = qemu.vmm();
        assert_eq!(ask_all(&mut vmm, 0), told);
        qemu.beside(8, comm, 1, PROCESS);
        qemu.cgroup("a.scope/cgroup.procs", "7\n8\n");
        assert_eq!(ask_all(&mut vmm, 100), [NO_OWN; 3].map(str::to_owned), "{comm}");
        qemu.cgroup("a.scope/cgroup.procs", "7\n");
        assert_eq!(ask_all(&mut vmm, 200), told);
    }
}

#[test]
fn a_second_vmm_of_another_name_is_known_by_its_threads() {
    let qemu = Qemu::new();
    with_figures(&qemu, "a.scope");
    let stat = "8 (my vmm) S 1 8 8 0 -1 4 0 0 0 0 0 0 0 0 20 0 2 0 50 0 0\n";
    qemu.0.write("proc/8/stat", stat);
    qemu.0.write("proc/8/task/8/comm", "my vmm\n");
    qemu.0.write("proc/8/task/9/comm", "vcpu0\n");
    qemu.cgroup("a.scope/cgroup.procs", "7\n8\n");
    assert_eq!(ask(&mut qemu.vmm(), "vm.cpu.weight", 0), NO_OWN);
    qemu.0.write("proc/8/task/9/comm", "worker\n");
    assert_eq!(ask(&mut qemu.vmm(), "vm.cpu.weight", 0), "300");
}

#[test]
fn a_cgroup_with_a_process_that_cannot_be_seen_is_not_known_to_be_the_guests_own() {
    let qemu = Qemu::new();
    let told = with_figures(&qemu, "a.scope");
    let mut vmm = qemu.vmm();
    // 8 is hidden by hidepid=, and 0 is in another PID namespace. A cgroup without the VMM may be
    // anybody's.
    for pids in ["7\n8\n", "7\n0\n", "7\nx\n", ""] {
        qemu.cgroup("a.scope/cgroup.procs", pids);
        assert_eq!(ask_all(&mut vmm, 0), [NO_OWN; 3].map(str::to_owned), "{pids:?}");
        vmm = qemu.vmm();
    }
    qemu.cgroup("a.scope/cgroup.procs", "7\n8\n");
    qemu.0.write("proc/8/stat", "8 (junk");
    assert_eq!(ask(&mut vmm, "vm.cpu.weight", 0), NO_OWN);
    qemu.beside(8, "sh", 1, PROCESS);
    assert_eq!(ask_all(&mut vmm, 100), told);
}

#[test]
fn a_cgroup_that_a_second_vmm_is_below_is_not_the_guests_own() {
    let qemu = Qemu::new();
    let told = with_figures(&qemu, "a.scope");
    let mut vmm = qemu.vmm();
    for child in ["emulator", "vcpu0", "iothread1", "any"] {
        qemu.cgroup(&format!("a.scope/{child}/cgroup.procs"), "7\n");
    }
    qemu.cgroup("a.scope/any/empty/cgroup.procs", "");
    assert_eq!(ask_all(&mut vmm, 0), told);
    qemu.beside(8, "qemu-system-x86", 1, PROCESS);
    qemu.cgroup("a.scope/any/empty/deeper/cgroup.procs", "8\n");
    assert_eq!(ask_all(&mut vmm, 100), [NO_OWN; 3].map(str::to_owned));
    qemu.cgroup("a.scope/any/empty/deeper/cgroup.procs", "");
    assert_eq!(ask_all(&mut vmm, 200), told);
    for number in 0..1024 {
        std::fs::create_dir(qemu.0.path().join(format!("sys/fs/cgroup/a.scope/any/{number}")))
            .unwrap();
    }
    assert_eq!(ask_all(&mut vmm, 300), [NO_OWN; 3].map(str::to_owned), "too many to look at");
}

#[test]
fn a_guests_own_cgroup_is_the_nearest_unit_or_that_of_its_vmm() {
    let pod = "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1f.slice";
    for (path, own) in [
        ("qemu.slice/100.scope", "qemu.slice/100.scope"),
        ("system.slice/web.service", "system.slice/web.service"),
        ("system.slice/web.service/payload/a", "system.slice/web.service"),
        ("user.slice/user-0.slice/session-3.scope", "user.slice/user-0.slice/session-3.scope"),
        ("user@1.service/app.slice/b.scope/c", "user@1.service/app.slice/b.scope"),
        (&format!("{pod}/1f2e"), pod),
        (&format!("{pod}/cri-1f2e.scope"), &format!("{pod}/cri-1f2e.scope")),
        ("kubepods/burstable/pod1f/2e", "kubepods/burstable/pod1f"),
        ("a/b", "a/b"),
        ("a/emulator", "a/emulator"),
    ] {
        let qemu = Qemu::new();
        qemu.moves(path, "7\n");
        let told = with_figures(&qemu, own);
        assert_eq!(ask_all(&mut qemu.vmm(), 0), told, "{path}");
    }
    for path in ["", "user.slice", "user.slice/user-0.slice", "kubepods.slice/kubepods-a.slice"] {
        let qemu = Qemu::new();
        qemu.moves(path, "7\n");
        with_figures(&qemu, path);
        assert_eq!(ask(&mut qemu.vmm(), "vm.cpu.weight", 0), NO_OWN, "{path}");
        assert_eq!(ask(&mut qemu.vmm(), "vm.pressure.cpu.some.seconds", 0), NO_OWN, "{path}");
    }
}

#[test]
fn one_guests_part_of_a_unit_that_guests_share_is_its_own() {
    let qemu = Qemu::new();
    qemu.moves("all.service/vm7", "7\n");
    qemu.beside(8, "qemu-system-x86", 1, PROCESS);
    qemu.cgroup("all.service/vm8/cgroup.procs", "8\n");
    let told = with_figures(&qemu, "all.service/vm7");
    assert_eq!(ask_all(&mut qemu.vmm(), 0), told);
}

#[test]
fn libvirts_cgroups_of_threads_tell_of_single_vcpus_and_not_of_the_guest() {
    let scope = "machine.slice/machine-qemu\\x2d1\\x2dq.scope";
    let qemu = Qemu::new();
    qemu.moves(&format!("{scope}/libvirt/emulator"), "");
    qemu.remove(&format!("sys/fs/cgroup/{scope}/libvirt/emulator/cgroup.procs"));
    qemu.cgroup(&format!("{scope}/libvirt/cgroup.procs"), "7\n9\n");
    qemu.beside(9, "kvm-nx-lpage-recovery-7", 2, KERNEL_THREAD);
    let told = with_figures(&qemu, scope);
    qemu.cgroup(&format!("{scope}/libvirt/emulator/memory.max"), "1\n");
    qemu.cgroup(&format!("{scope}/libvirt/emulator/cpu.max"), "1000 100000\n");
    for (vcpu, quota) in [(0, 50_000), (1, 25_000)] {
        qemu.cgroup(&format!("{scope}/libvirt/vcpu{vcpu}/cpu.max"), &format!("{quota} 100000\n"));
        let stat = format!("usage_usec 9\nthrottled_usec {vcpu}000000\n");
        qemu.cgroup(&format!("{scope}/libvirt/vcpu{vcpu}/cpu.stat"), &stat);
    }
    let mut vmm = qemu.vmm();
    assert_eq!(ask_all(&mut vmm, 0), told);
    assert_eq!(ask(&mut vmm, "vm.cpu.quota", 0), "0.75");
    assert_eq!(ask(&mut vmm, "vm.cpu.throttled", 0), "1");
}

#[test]
fn a_second_vmm_in_one_of_libvirts_cgroups_is_seen_wherever_the_guests_own_is() {
    let scope = "machine.slice/machine-qemu\\x2d1\\x2dq.scope";
    for (below, listed_in) in
        [("libvirt/emulator", "libvirt"), ("libvirt/emulator", ""), ("emulator", "")]
    {
        let qemu = Qemu::new();
        qemu.moves(&format!("{scope}/{below}"), "");
        qemu.remove(&format!("sys/fs/cgroup/{scope}/{below}/cgroup.procs"));
        qemu.beside(8, "qemu-system-x86", 1, PROCESS);
        with_figures(&qemu, scope);
        let mut vmm = qemu.vmm();
        assert_eq!(ask(&mut vmm, "vm.cpu.weight", 0), "300");
        qemu.cgroup(&format!("{scope}/{listed_in}/cgroup.procs"), "7\n8\n");
        assert_eq!(ask(&mut vmm, "vm.cpu.weight", 100), NO_OWN, "{below} {listed_in}");
    }
    // On v1, the process is in the cgroup that libvirt has made for its first thread.
    let qemu = Qemu::new();
    qemu.remove("sys/fs/cgroup/cgroup.controllers");
    qemu.0.write("proc/7/cgroup", format!("4:cpu:/{scope}/emulator\n0::/\n"));
    qemu.cgroup(&format!("cpu/{scope}/cpu.shares"), "2048\n");
    qemu.cgroup(&format!("cpu/{scope}/emulator/cgroup.procs"), "7\n");
    qemu.beside(8, "qemu-system-x86", 1, PROCESS);
    let mut vmm = qemu.vmm();
    assert_eq!(ask(&mut vmm, "vm.cpu.weight", 0), "200");
    qemu.cgroup(&format!("cpu/{scope}/emulator/cgroup.procs"), "7\n8\n");
    assert_eq!(ask(&mut vmm, "vm.cpu.weight", 100), NO_OWN);
}

#[test]
fn a_cgroup_for_some_threads_is_part_of_the_one_around_it() {
    let qemu = Qemu::new();
    qemu.moves("a/b/housekeeping", "");
    qemu.cgroup("a/b/housekeeping/cgroup.type", "threaded\n");
    qemu.cgroup("a/b/cgroup.procs", "7\n");
    let told = with_figures(&qemu, "a/b");
    assert_eq!(ask_all(&mut qemu.vmm(), 0), told);
}

#[test]
fn v1_is_found_where_it_is_mounted() {
    for (mount, line) in
        [("cpu", "cpu"), ("cpu,cpuacct", "cpu,cpuacct"), ("cpu,cpuacct", "cpuacct,cpu")]
    {
        let qemu = Qemu::new();
        qemu.remove("sys/fs/cgroup/cgroup.controllers");
        qemu.0.write("proc/7/cgroup", format!("5:memory:/a.scope\n4:{line}:/a.scope\n0::/\n"));
        for tree in [mount, "memory"] {
            qemu.cgroup(&format!("{tree}/a.scope/cgroup.procs"), "7\n");
        }
        qemu.cgroup(&format!("{mount}/a.scope/cpu.cfs_quota_us"), "50000\n");
        qemu.cgroup(&format!("{mount}/a.scope/cpu.cfs_period_us"), "100000\n");
        qemu.cgroup(&format!("{mount}/a.scope/cpu.shares"), "2048\n");
        qemu.cgroup(&format!("{mount}/a.scope/cpu.stat"), "throttled_time 3000000000\n");
        qemu.cgroup("memory/a.scope/memory.limit_in_bytes", "8192\n");
        qemu.cgroup("memory/a.scope/memory.soft_limit_in_bytes", "4096\n");
        let mut vmm = qemu.vmm();
        let names = ["vm.cpu.quota", "vm.cpu.weight", "vm.cpu.throttled", "vm.memory.limit"];
        let told = names.map(|name| ask(&mut vmm, name, 0));
        assert_eq!(told, ["0.5", "200", "3", "8192"].map(str::to_owned), "{mount} {line}");
    }
}

#[test]
fn a_cgroup_that_changes_while_it_is_read_gives_no_figures() {
    let qemu = Qemu::new();
    let told = with_figures(&qemu, "a.scope");
    let mut vmm = qemu.vmm();
    assert_eq!(ask(&mut vmm, "vm.cpu.weight", 0), told[0]);
    // In the same step of the grid, after its cgroups were read.
    qemu.moves("b.scope", "7\n");
    assert_eq!(ask(&mut vmm, "vm.memory.limit", 0), AGAIN);
    assert_eq!(vmm.bounds(&mut qemu.host(), at(0)).throttled_around, None);
    assert_eq!(ask(&mut vmm, "vm.memory.limit", 100), "this guest has no memory limit");
    qemu.starts(101);
    assert_eq!(ask(&mut vmm, "vm.cpu.weight", 100), ENDED);
    assert_eq!(ask(&mut vmm, "vm.pressure.cpu.some.seconds", 100), ENDED);
}

#[test]
fn a_guest_is_handed_over_whatever_its_cgroups_are_called() {
    use std::os::unix::ffi::OsStrExt as _;
    let qemu = Qemu::new();
    let told = with_figures(&qemu, "n/b.scope");
    qemu.cgroup("n/b.scope/cgroup.procs", "7\n");
    qemu.cgroup("n/b.scope/cpu.stat", "throttled_usec 5\n");
    qemu.cgroup("n/cpu.stat", "throttled_usec 5\n");
    qemu.cgroup("n/cpu.max", "50000 100000\n");
    let cgroups = qemu.0.path().join("sys/fs/cgroup");
    let name = std::ffi::OsStr::from_bytes(b"\xff\xfe");
    std::fs::rename(cgroups.join("n"), cgroups.join(name)).unwrap();
    qemu.0.write("proc/7/cgroup", b"0::/\xff\xfe/b.scope\n");
    let mut vmm = qemu.vmm();
    assert_eq!(ask_all(&mut vmm, 0), told);
    assert_ne!(ask(&mut vmm, "vm.cpu.throttled", 0), NO_OWN);
    assert!(vmm.bounds(&mut qemu.host(), at(0)).cpu_limit.is_some());
    let document = hostinfo_handover::Document::write(&vmm).unwrap();
    assert!(document.length().unwrap() > 0);
}
