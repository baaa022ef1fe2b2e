//! The CPUs that a guest's vCPUs may run on, and who uses them.

use std::time::Duration;

use hostinfo_sample::CpuUse;

use crate::qemu::{KERNEL_THREAD, PROCESS, Qemu, ask, at};

/// A guest of two vCPUs on a host of four CPUs.
fn pinned(vcpus: [&str; 2]) -> Qemu {
    let qemu = Qemu::new();
    qemu.0.write("sys/devices/system/cpu/online", "0-3\n");
    qemu.thread(7, "qemu-system-x86", 8, 4);
    for (tid, name, allowed) in
        [(8, "CPU 0/KVM", vcpus[0]), (9, "CPU 1/KVM", vcpus[1]), (7, "qemu-system-x86", "0-3")]
    {
        if tid != 7 {
            qemu.thread(tid, name, 1, 1);
        }
        qemu.allowed(tid, allowed);
    }
    busy(&qemu, 1_000, [1_000, 2_000, 3_000, 4_000]);
    qemu
}

impl Qemu {
    fn allowed(&self, tid: u32, list: &str) {
        let text = format!("Name:\tqemu\nCpus_allowed:\tf\nCpus_allowed_list:\t{list}\n");
        self.0.write(&format!("proc/7/task/{tid}/status"), text);
    }
}

/// Ticks of four CPUs of a host that was up for some seconds, spread over the fields.
fn busy(qemu: &Qemu, up: u64, ticks: [u64; 4]) {
    let lines = ticks.iter().enumerate().map(|(cpu, ticks)| {
        let (user, idle) = (ticks - 15, up * 100 - ticks - 999);
        format!("cpu{cpu} {user} 1 2 {idle} 999 3 4 5 {user} 0\n")
    });
    qemu.0.write("proc/stat", format!("cpu  1 1 1 1 1 1 1 1 1 1\n{}", lines.collect::<String>()));
}

#[test]
fn the_cpus_of_all_vcpus_that_are_online_are_those_of_the_guest() {
    for (vcpus, count) in [(["1", "1"], 1), (["1", "2-3"], 3), (["0-127", "0"], 4)] {
        assert_eq!(
            ask(&mut pinned(vcpus).vmm(), "vm.cpu.pinned", 0),
            count.to_string(),
            "{vcpus:?}"
        );
    }
    let qemu = pinned(["1", "2"]);
    let mut vmm = qemu.vmm();
    assert_eq!(ask(&mut vmm, "vm.cpu.pinned", 0), "2");
    qemu.allowed(9, "1-2");
    assert_eq!(ask(&mut vmm, "vm.cpu.pinned", 99), "2");
    qemu.allowed(9, "0,3");
    assert_eq!(ask(&mut vmm, "vm.cpu.pinned", 100), "3");
    qemu.ends(9);
    assert_eq!(ask(&mut vmm, "vm.cpu.pinned", 200), "1");
    // A host without sysfs.
    qemu.remove("sys/devices/system/cpu/online");
    qemu.allowed(8, "0-127");
    assert_eq!(ask(&mut vmm, "vm.cpu.pinned", 300), "4");
}

#[test]
fn a_figure_of_cpus_that_is_unknown_is_not_zero() {
    let untold = "this host's kernel does not report it";
    let qemu = pinned(["1", "2"]);
    qemu.allowed(8, "junk");
    assert_eq!(ask(&mut qemu.vmm(), "vm.cpu.pinned", 0), untold);
    qemu.allowed(8, "77");
    qemu.allowed(9, "78");
    assert_eq!(ask(&mut qemu.vmm(), "vm.cpu.pinned", 0), untold, "they are offline");
    assert_eq!(qemu.vmm().bounds(&mut qemu.host(), at(0)).cpus, None);
    let qemu = pinned(["1", "2"]);
    qemu.0.write("proc/stat", "cpu  1 1 1 1 1 1 1 1\ncpu1 1 1 1 1 1 1 1 1\n");
    assert_eq!(qemu.vmm().bounds(&mut qemu.host(), at(0)).cpus, None, "one of them is not counted");
    let nameless = Qemu::new();
    assert_eq!(nameless.vmm().bounds(&mut nameless.host(), at(0)).cpus, None);
}

#[test]
fn only_what_uses_the_guests_cpus_is_counted() {
    let qemu = pinned(["1", "2"]);
    let mut vmm = qemu.vmm();
    let first = CpuUse {
        cpus: [1, 2].into(),
        online: 4,
        busy: Duration::from_secs(50),
        counted_busy: Duration::from_secs(50),
        counted_idle: Duration::from_secs(2_000 - 50),
        // Half of the main thread's time: it may run on four CPUs.
        own_others: Duration::from_secs(4),
        own_others_delay: Duration::from_secs(2),
    };
    assert_eq!(vmm.bounds(&mut qemu.host(), at(0)).cpus, Some(first.clone()));
    assert_eq!(
        vmm.bounds(&mut qemu.host(), at(0)).cpus,
        Some(first.clone()),
        "nothing is counted twice"
    );

    busy(&qemu, 1_005, [9_000, 2_100, 3_200, 9_000]);
    qemu.thread(7, "qemu-system-x86", 10, 4);
    qemu.thread(10, "IO iothread1", 5, 3);
    qemu.allowed(10, "2");
    let second = vmm.bounds(&mut qemu.host(), at(5_000)).cpus.unwrap();
    assert_eq!(second.busy - first.busy, Duration::from_secs(3));
    assert_eq!(second.own_others - first.own_others, Duration::from_secs(1 + 5));
    assert_eq!(second.own_others_delay - first.own_others_delay, Duration::from_secs(3));

    assert_eq!(
        vmm.bounds(&mut qemu.host(), at(5_000)).threads_run,
        Some(Duration::from_secs(10 + 5))
    );

    // After it is pinned elsewhere, its sum stays, and nothing is added.
    qemu.allowed(7, "0");
    qemu.thread(7, "qemu-system-x86", 100, 4);
    qemu.ends(10);
    let third = vmm.bounds(&mut qemu.host(), at(10_000)).cpus.unwrap();
    assert_eq!((third.own_others, third.busy), (second.own_others, second.busy));
}

#[test]
fn a_cpu_that_was_never_idle_was_busy_although_an_emulated_hosts_kernel_lost_ticks() {
    let qemu = pinned(["1", "1"]);
    let stat = |ticks: [[u64; 2]; 2]| {
        let line = |(cpu, [user, idle]): (u32, [u64; 2])| {
            format!("cpu{cpu} {user} 0 0 {idle} 0 0 0 0 0 0\n")
        };
        let lines: String = (0..).zip(ticks).map(line).collect();
        qemu.0.write("proc/stat", format!("cpu  1 1 1 1 1 1 1 1 1 1\n{lines}"));
    };
    let mut vmm = qemu.vmm();
    stat([[1_000, 9_000], [2_000, 8_000]]);
    let first = vmm.bounds(&mut qemu.host(), at(0)).cpus.unwrap();
    // Counted in 20.3 s on a host under QEMU's TCG, with a busy loop on the CPU.
    stat([[1_100, 10_900], [3_480, 8_000]]);
    let second = vmm.bounds(&mut qemu.host(), at(20_300)).cpus.unwrap();
    assert_eq!(second.busy - first.busy, Duration::from_millis(20_300));
    assert_eq!(second.counted_busy - first.counted_busy, Duration::from_millis(14_800));
    assert_eq!(second.counted_idle, first.counted_idle);
}

#[test]
fn a_kernel_thread_that_works_for_the_guest_counts_as_its_own() {
    let qemu = pinned(["1", "2"]);
    qemu.allowed(7, "0");
    qemu.cgroup("a.scope/cgroup.procs", "7\n21\n22\n23\n");
    for (pid, comm, flags) in
        [(21, "vhost-7", KERNEL_THREAD), (22, "vhost-77", KERNEL_THREAD), (23, "vhost-7", PROCESS)]
    {
        qemu.beside(pid, comm, 2, flags);
        qemu.0.write(&format!("proc/{pid}/schedstat"), "3000000000 1000000000 9\n");
        qemu.0.write(&format!("proc/{pid}/status"), "Cpus_allowed_list:\t0-3\n");
    }
    let cpus = qemu.vmm().bounds(&mut qemu.host(), at(0)).cpus.unwrap();
    assert_eq!(cpus.own_others, Duration::from_millis(1_500));
    assert_eq!(cpus.own_others_delay, Duration::from_millis(500));
}

#[test]
fn only_some_of_a_guests_many_threads_are_read_for_each_sample() {
    let qemu = pinned(["0", "0"]);
    for tid in 100..400 {
        qemu.thread(tid, &format!("CPU {tid}/KVM"), 1, 1);
        qemu.allowed(tid, if tid == 399 { "3" } else { "1" });
    }
    let mut vmm = qemu.vmm();
    let mut pinned = |step: u64| ask(&mut vmm, "vm.cpu.pinned", step * 100);
    assert_eq!([0, 1].map(&mut pinned), ["ask again in 1 s"; 2], "128 of 303 a sample");
    assert_eq!(pinned(2), "3");
    for tid in 100..400 {
        qemu.allowed(tid, "2");
    }
    let steps: Vec<_> = (3..6).map(&mut pinned).collect();
    assert_eq!(steps.last().unwrap(), "2", "all have had their turn: {steps:?}");
}

#[test]
fn a_thread_whose_cpus_cannot_be_told_for_a_while_is_not_counted_twice() {
    let qemu = pinned(["1", "2"]);
    let mut vmm = qemu.vmm();
    let mut own_others =
        |millis| vmm.bounds(&mut qemu.host(), at(millis)).cpus.unwrap().own_others.as_secs();
    qemu.allowed(7, "1");
    assert_eq!(own_others(0), 8);
    qemu.allowed(7, "junk");
    assert_eq!(own_others(100), 8);
    qemu.thread(7, "qemu-system-x86", 9, 4);
    qemu.allowed(7, "1");
    assert_eq!(own_others(200), 9);
}

#[test]
fn each_vcpu_has_its_delay_at_its_number() {
    let qemu = Qemu::new();
    qemu.thread(8, "CPU 0/KVM", 1, 3);
    qemu.thread(9, "CPU 2/KVM", 1, 4294);
    qemu.thread(10, "IO iothread1", 1, 7);
    let mut vmm = qemu.vmm();
    let mut delays =
        |millis| vmm.bounds(&mut qemu.host(), at(millis)).vcpu_delays.unwrap().to_vec();
    assert_eq!(delays(0), [3_000_000, 0, 4_294_000_000]);
    qemu.thread(9, "CPU 2/KVM", 1, 4295);
    qemu.thread(11, "CPU 1/KVM", 1, 2);
    assert_eq!(delays(5_000), [3_000_000, 2_000_000, 32_704], "it went round");
    qemu.ends(8);
    assert_eq!(delays(10_000).len(), 3);
}
