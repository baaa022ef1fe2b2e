//! What limits a guest, in its own cgroup and in those around it.

use std::time::Duration;

use hostinfo_sample::{Bounds, IoLimit, IoWay, Used, Vmm};

use crate::cgroups::NO_OWN;
use crate::qemu::{PROCESS, Qemu, ask, at};

#[test]
fn without_a_quota_on_the_way_up_nothing_was_throttled_whosever_cgroup_it_is() {
    let ask_both = |vmm: &mut Vmm, millis| {
        ["vm.cpu.throttled", "vm.cpu.quota", "vm.memory.limit"].map(|name| ask(vmm, name, millis))
    };
    let none = ["0", "this guest has no CPU quota", "this guest has no memory limit"];
    for path in ["", "user.slice", "b.slice/a.scope"] {
        let qemu = Qemu::new();
        qemu.moves(path, "7\n");
        qemu.cgroup("b.slice/cpu.max", "max 100000\n");
        qemu.cgroup("b.slice/memory.max", "max\n");
        qemu.cgroup("b.slice/memory.high", "max\n");
        let mut vmm = qemu.vmm();
        assert_eq!(ask_both(&mut vmm, 0), none.map(str::to_owned), "{path}");
        assert_eq!(vmm.bounds(&mut qemu.host(), at(0)).throttled_around, Some(Duration::ZERO));
    }
    // It is not known whom a quota held back that others share.
    let qemu = Qemu::new();
    qemu.beside(8, "qemu-system-x86", 1, PROCESS);
    qemu.moves("b.slice/a.scope", "7\n8\n");
    qemu.cgroup("b.slice/cpu.max", "50000 100000\n");
    qemu.cgroup("b.slice/cpu.stat", "usage_usec 1\nthrottled_usec 1\n");
    qemu.cgroup("b.slice/memory.max", "4096\n");
    assert_eq!(ask_both(&mut qemu.vmm(), 0), [NO_OWN; 3].map(str::to_owned));
}

#[test]
fn limits_are_the_lowest_from_the_guests_own_cgroup_up() {
    let qemu = Qemu::new();
    qemu.moves("c.slice/b.slice/a.scope", "7\n");
    let mut vmm = qemu.vmm();
    for (step, (file, text, quota, limit)) in [
        ("a.scope/cpu.max", "60000 100000", "0.6", "this guest has no memory limit"),
        ("cpu.max", "50000 100000", "0.5", "this guest has no memory limit"),
        ("memory.max", "8192", "0.5", "8192"),
        ("a.scope/memory.high", "4096", "0.5", "4096"),
        ("a.scope/memory.max", "6000", "0.5", "4096"),
        ("memory.high", "4000", "0.5", "4000"),
    ]
    .into_iter()
    .enumerate()
    {
        qemu.cgroup(&format!("c.slice/b.slice/{file}"), &format!("{text}\n"));
        qemu.cgroup("c.slice/b.slice/a.scope/cpu.stat", "throttled_usec 0\n");
        let millis = u64::try_from(step).unwrap() * 100;
        assert_eq!(ask(&mut vmm, "vm.cpu.quota", millis), quota, "{file}");
        assert_eq!(ask(&mut vmm, "vm.memory.limit", millis), limit, "{file}");
    }
    assert_eq!(ask(&mut vmm, "vm.cpu.throttled", 0), "0");
}

#[test]
fn absurd_files_are_no_limits_and_no_zeros() {
    let untold = "this guest's process or cgroup does not report it";
    for (file, text, names) in [
        ("cpu.max", "junk", &["vm.cpu.quota", "vm.cpu.throttled"][..]),
        ("cpu.max", "", &["vm.cpu.quota"]),
        ("cpu.stat", "throttled_usec junk", &["vm.cpu.throttled"]),
        ("cpu.weight", "-1", &["vm.cpu.weight"]),
        ("memory.max", "junk", &["vm.memory.limit"]),
        ("memory.high", "-1", &["vm.memory.limit"]),
    ] {
        let qemu = Qemu::new();
        qemu.cgroup(&format!("a.scope/{file}"), text);
        for name in names {
            assert_eq!(ask(&mut qemu.vmm(), name, 0), untold, "{file} {text:?} {name}");
        }
    }
    let qemu = Qemu::new();
    qemu.0.write("proc/7/cgroup", "junk\n");
    for name in ["vm.cpu.throttled", "vm.cpu.quota", "vm.memory.limit", "vm.cpu.weight"] {
        assert_eq!(ask(&mut qemu.vmm(), name, 0), untold, "{name}");
    }
}

#[test]
fn a_cgroup_of_another_namespace_is_not_taken_for_there_being_no_limit() {
    let unseen = "hostinfod cannot see this guest's cgroups";
    let names =
        ["vm.cpu.throttled", "vm.cpu.quota", "vm.memory.limit", "vm.pressure.io.some.avg10"];
    for path in ["0::/../../a.scope\n", "0::/not/there.scope\n", "0::a.scope\n"] {
        let qemu = Qemu::new();
        qemu.0.write("proc/7/cgroup", path);
        let mut vmm = qemu.vmm();
        for name in names {
            assert_eq!(ask(&mut vmm, name, 0), unseen, "{path} {name}");
        }
        assert_eq!(vmm.bounds(&mut qemu.host(), at(0)), Bounds::default());
    }
    // The root of a namespace is an ordinary cgroup with limits.
    let qemu = Qemu::new();
    qemu.cgroup("cgroup.events", "populated 1\n");
    qemu.cgroup("cpu.max", "50000 100000\n");
    qemu.cgroup("cpu.stat", "throttled_usec 5000000\n");
    let mut vmm = qemu.vmm();
    assert_eq!(ask(&mut vmm, "vm.cpu.quota", 0), "0.5");
    assert_eq!(vmm.bounds(&mut qemu.host(), at(0)).throttled_around, Some(Duration::from_secs(5)));
}

#[test]
fn limits_that_the_guest_shares_are_told_apart_from_its_own() {
    let qemu = Qemu::new();
    let slice = "sys/fs/cgroup/all.slice";
    let own = format!("{slice}/machine-qemu.slice/web.scope");
    qemu.0.write("proc/7/cgroup", "0::/all.slice/machine-qemu.slice/web.scope\n");
    qemu.0.write(&format!("{own}/cgroup.procs"), "7\n");
    let mut vmm = qemu.vmm();
    let zero = Some(Duration::ZERO);
    let none = Bounds { throttled_around: zero, threads_throttled: zero, ..Bounds::default() };
    assert_eq!(vmm.bounds(&mut qemu.host(), at(0)), none);

    for (cgroup, throttled, used, limit) in
        [(slice, 7, 10, "100"), ("sys/fs/cgroup", 50, 9, "9"), (&own, 2, 30, "max")]
    {
        qemu.0.write(&format!("{cgroup}/cpu.stat"), format!("throttled_usec {throttled}000000\n"));
        qemu.0.write(&format!("{cgroup}/memory.current"), format!("{used}\n"));
        qemu.0.write(&format!("{cgroup}/memory.max"), format!("{limit}\n"));
    }
    let bounds = vmm.bounds(&mut qemu.host(), at(100));
    assert_eq!(bounds.throttled_around, Some(Duration::ZERO), "it was throttled before");
    assert_eq!(bounds.memory, None);
    assert_eq!(bounds.memory_around, Some(Used { bytes: 10, limit: 100 }));
    assert_eq!(ask(&mut vmm, "vm.cpu.throttled", 100), "2");

    qemu.0.write(&format!("{slice}/cpu.stat"), "throttled_usec 10000000\n");
    qemu.0.write(&format!("{slice}/machine-qemu.slice/cpu.stat"), "throttled_usec 1\n");
    qemu.0.write(&format!("{own}/memory.max"), "40\n");
    let bounds = vmm.bounds(&mut qemu.host(), at(200));
    assert_eq!(bounds.throttled_around, Some(Duration::from_secs(3)));
    assert_eq!(bounds.memory, Some(Used { bytes: 30, limit: 40 }));
    qemu.beside(8, "qemu-system-x86", 1, PROCESS);
    qemu.0.write(&format!("{own}/cgroup.procs"), "7\n8\n");
    let bounds = vmm.bounds(&mut qemu.host(), at(300));
    assert_eq!((bounds.memory, bounds.memory_around), (None, Some(Used { bytes: 30, limit: 40 })));
    assert_eq!(bounds.throttled_around, Some(Duration::from_secs(3)));
    qemu.0.write(&format!("{own}/cpu.stat"), "throttled_usec 4000000\n");
    assert_eq!(
        vmm.bounds(&mut qemu.host(), at(400)).throttled_around,
        Some(Duration::from_secs(5))
    );
    qemu.starts(101);
    assert_eq!(vmm.bounds(&mut qemu.host(), at(500)), Bounds::default(), "it is another process");
}

#[test]
fn quotas_of_single_threads_are_told_apart_from_those_of_the_guest() {
    let qemu = Qemu::new();
    let scope = "machine-qemu\\x2d1\\x2dq.scope/libvirt";
    qemu.0.write("proc/7/cgroup", format!("0::/{scope}/emulator\n"));
    let held = |name: &str, seconds: u64| {
        qemu.cgroup(
            &format!("{scope}/{name}/cpu.stat"),
            &format!("throttled_usec {seconds}000000\n"),
        );
    };
    held("emulator", 2);
    held("iothread1", 3);
    held("vcpu0", 20);
    let mut vmm = qemu.vmm();
    let mut throttled = |millis| {
        vmm.bounds(&mut qemu.host(), at(millis)).threads_throttled.map(|time| time.as_secs())
    };
    assert_eq!(throttled(0), Some(5));
    held("iothread2", 4);
    held("emulator", 3);
    assert_eq!(throttled(100), Some(10));
    qemu.remove(&format!("sys/fs/cgroup/{scope}/iothread1/cpu.stat"));
    assert_eq!(throttled(200), Some(10));
    qemu.cgroup(&format!("{scope}/emulator/cpu.stat"), "junk\n");
    assert_eq!(throttled(300), None, "it is not known");
    assert_eq!(ask(&mut vmm, "vm.cpu.throttled", 400), "20");
}

#[test]
fn throttled_time_never_falls() {
    let qemu = Qemu::new();
    let vcpu = "sys/fs/cgroup/machine-qemu\\x2d1\\x2dq.scope/libvirt/vcpu1";
    qemu.0.write("proc/7/cgroup", "0::/machine-qemu\\x2d1\\x2dq.scope/libvirt/emulator\n");
    qemu.0
        .write("sys/fs/cgroup/machine-qemu\\x2d1\\x2dq.scope/cpu.stat", "throttled_usec 1000000\n");
    qemu.0.write(&format!("{vcpu}/cpu.stat"), "throttled_usec 2000000\n");
    let mut vmm = qemu.vmm();
    assert_eq!(ask(&mut vmm, "vm.cpu.throttled", 0), "3");
    std::fs::remove_dir_all(qemu.0.path().join(vcpu)).unwrap();
    assert_eq!(ask(&mut vmm, "vm.cpu.throttled", 100), "3");
    qemu.0.write(&format!("{vcpu}/cpu.stat"), "throttled_usec 500000\n");
    assert_eq!(ask(&mut vmm, "vm.cpu.throttled", 200), "3.5");
}

#[test]
fn a_limit_around_a_guest_is_shared_where_a_second_vmm_was_seen() {
    let qemu = Qemu::new();
    qemu.moves("b.slice/a.scope", "7\n");
    for (file, text) in [
        ("cpu.max", "50000 100000\n"),
        ("cpu.stat", "usage_usec 1\nthrottled_usec 1\n"),
        ("memory.max", "100\n"),
        ("memory.current", "50\n"),
        ("other.service/cgroup.procs", "9\n"),
    ] {
        qemu.cgroup(&format!("b.slice/{file}"), text);
    }
    qemu.beside(9, "sshd", 1, PROCESS);
    let shared = |vmm: &mut Vmm, seconds: u64| {
        let bounds = vmm.bounds(&mut qemu.host(), at(seconds * 1000));
        (bounds.cpu_limit_is_shared, bounds.memory_limit_is_shared)
    };
    let mut vmm = qemu.vmm();
    assert_eq!(shared(&mut vmm, 0), (false, false));
    qemu.beside(8, "qemu-system-x86", 1, PROCESS);
    qemu.cgroup("b.slice/c.scope/cgroup.procs", "8\n");
    assert_eq!(shared(&mut vmm, 30), (false, false), "it is not looked for all the time");
    assert_eq!(shared(&mut vmm, 60), (true, true));
    qemu.cgroup("b.slice/memory.max", "max\n");
    assert_eq!(shared(&mut vmm, 61), (true, false));
    qemu.cgroup("b.slice/cpu.max", "max 100000\n");
    assert_eq!(shared(&mut vmm, 62), (false, false));
    // The second VMM is outside d.slice, which now has the limit, so it does not share it.
    qemu.moves("b.slice/d.slice/a.scope", "7\n");
    qemu.cgroup("b.slice/d.slice/cpu.max", "50000 100000\n");
    qemu.cgroup("b.slice/d.slice/cpu.stat", "usage_usec 1\nthrottled_usec 1\n");
    assert_eq!(shared(&mut vmm, 63), (false, false));
}

#[test]
fn if_two_limits_surround_a_guest_the_one_that_held_it_back_counts() {
    let qemu = Qemu::new();
    qemu.moves("outer.slice/inner.slice/a.scope", "7\n");
    qemu.beside(8, "qemu-system-x86", 1, PROCESS);
    qemu.cgroup("outer.slice/b.scope/cgroup.procs", "8\n");
    for (slice, throttled) in [("outer.slice", 0), ("outer.slice/inner.slice", 7)] {
        qemu.cgroup(&format!("{slice}/cpu.max"), "50000 100000\n");
        qemu.cgroup(&format!("{slice}/cpu.stat"), &format!("throttled_usec {throttled}\n"));
    }
    assert!(
        !qemu.vmm().bounds(&mut qemu.host(), at(0)).cpu_limit_is_shared,
        "the outer one never did"
    );
    let limit = || qemu.vmm().bounds(&mut qemu.host(), at(0)).cpu_limit;
    assert_eq!(limit(), Some(Duration::from_millis(500)));
    qemu.cgroup("outer.slice/cpu.stat", "throttled_usec 7\n");
    assert!(qemu.vmm().bounds(&mut qemu.host(), at(0)).cpu_limit_is_shared);
    assert_eq!(limit(), None, "which of them it was is not known");
}

#[test]
fn counters_of_cgroups_and_processes_that_fall_count_on() {
    let qemu = Qemu::new();
    let pressure = |total: u64| {
        qemu.cgroup("a.scope/cpu.pressure", &format!("some avg10=0.00 total={total}000000\n"));
    };
    let faults = |count: u64| {
        qemu.cgroup(
            "a.scope/memory.stat",
            &format!("pgmajfault {count}\npgsteal_kswapd {count}\n"),
        );
        let stat = format!("7 (kvm) S 1 7 7 0 -1 4 9 0 {count} 0 6 7 0 0 20 0 3 0 100 1 2\n");
        qemu.0.write("proc/7/stat", stat);
    };
    let mut vmm = qemu.vmm();
    for (millis, now, told) in [(0, 50, 50), (100, 60, 60), (200, 3, 63), (300, 5, 65)] {
        pressure(now);
        faults(now);
        let figures = ["vm.pressure.cpu.some.seconds", "vm.memory.majorfaults"];
        for figure in figures {
            assert_eq!(ask(&mut vmm, figure, millis), told.to_string(), "{figure}");
        }
        let bounds = vmm.bounds(&mut qemu.host(), at(millis));
        assert_eq!([bounds.major_faults, bounds.freed_for_host], [Some(told); 2]);
    }
}

#[test]
fn memory_that_is_used_up_to_memory_high_is_at_its_limit() {
    let qemu = Qemu::new();
    qemu.moves("b.slice/a.scope", "7\n");
    for (file, text) in
        [("a.scope/memory.max", 100), ("a.scope/memory.high", 50), ("memory.high", 400)]
    {
        qemu.cgroup(&format!("b.slice/{file}"), &format!("{text}\n"));
    }
    qemu.cgroup("b.slice/memory.current", "200\n");
    qemu.cgroup("b.slice/a.scope/memory.current", "49\n");
    let bounds = qemu.vmm().bounds(&mut qemu.host(), at(0));
    assert_eq!(bounds.memory, Some(Used { bytes: 49, limit: 50 }));
    assert_eq!(bounds.memory_around, Some(Used { bytes: 200, limit: 400 }));
    assert!(!bounds.memory_limit_around_is_lowest);
    qemu.cgroup("b.slice/memory.high", "50\n");
    assert!(qemu.vmm().bounds(&mut qemu.host(), at(0)).memory_limit_around_is_lowest);
    // The usage is not known: another limit may be nearer.
    qemu.cgroup("b.slice/a.scope/memory.current", "junk\n");
    assert_eq!(qemu.vmm().bounds(&mut qemu.host(), at(0)).memory, None);
}

#[test]
fn a_slice_does_not_reach_the_limits_of_its_guests() {
    let qemu = Qemu::new();
    qemu.moves("b.slice/a.scope/libvirt", "7\n");
    let events = |file: &str, high: u64, max: u64| {
        qemu.cgroup(&format!("b.slice/{file}"), &format!("low 0\nhigh {high}\nmax {max}\n"));
    };
    events("memory.events", 100, 100);
    events("memory.events.local", 1, 1);
    // Linux 5.1 and older have only this file, which covers this cgroup alone.
    events("a.scope/memory.events", 3, 4);
    let mut vmm = qemu.vmm();
    let mut hits = |millis| {
        let bounds = vmm.bounds(&mut qemu.host(), at(millis));
        (bounds.memory_hits, bounds.memory_hits_around)
    };
    assert_eq!(hits(0), (Some(7), Some(2)));
    events("memory.events", 200, 100);
    events("a.scope/memory.events", 3, 6);
    assert_eq!(hits(100), (Some(9), Some(2)));
    // Their own limit may be in either of libvirt's cgroups.
    events("a.scope/libvirt/memory.events.local", 0, 0);
    assert_eq!(hits(200), (Some(9), Some(2)));
    events("a.scope/libvirt/memory.events.local", 5, 0);
    assert_eq!(hits(300), (Some(14), Some(2)));
    events("a.scope/memory.events", 0, 0);
    assert_eq!(hits(400), (Some(14), Some(2)), "it never falls");
    qemu.cgroup("b.slice/a.scope/memory.events", "junk\n");
    assert_eq!(hits(500), (None, Some(2)));
}

#[test]
fn shared_memory_that_is_swapped_out_is_the_guests() {
    let qemu = Qemu::new();
    qemu.moves("a.scope", "7\n");
    qemu.cgroup("a.scope/memory.stat", "pgmajfault 3\nswapcached 4096\n");
    assert_eq!(qemu.vmm().bounds(&mut qemu.host(), at(0)).swapped, None);
    qemu.cgroup("a.scope/memory.swap.current", "1052672\n");
    assert_eq!(qemu.vmm().bounds(&mut qemu.host(), at(0)).swapped, Some(1 << 20));
}

#[test]
fn limits_on_the_hosts_disks_are_the_guests_own_or_around_it() {
    let qemu = Qemu::new();
    qemu.moves("b.slice/a.scope/libvirt", "7\n");
    let unlimited = "254:0 rbps=max wbps=max riops=max wiops=max\n";
    qemu.cgroup("b.slice/a.scope/libvirt/io.max", "");
    qemu.cgroup("b.slice/a.scope/io.max", "254:0 rbps=max wbps=max riops=2 wiops=max\n");
    qemu.cgroup("b.slice/a.scope/io.stat", "254:0 rbytes=40960 wbytes=4096 rios=10 wios=1\n");
    qemu.cgroup(
        "b.slice/io.max",
        &format!("8:0 rbps=max wbps=99 riops=max wiops=max\n{unlimited}"),
    );
    qemu.cgroup("b.slice/io.stat", "254:0 rbytes=9 wbytes=9 rios=9 wios=9\n");
    let mut vmm = qemu.vmm();
    let mut limits = |millis| vmm.bounds(&mut qemu.host(), at(millis)).io_limits;
    let own = IoLimit {
        is_own: true,
        level: 1,
        disk: (254, 0),
        read: IoWay { bytes_max: None, ops_max: Some(2), bytes: 40960, ops: 10 },
        write: IoWay { bytes_max: None, ops_max: None, bytes: 4096, ops: 1 },
    };
    assert_eq!(limits(0), [own], "on 8:0 nothing is known to have been written");
    qemu.cgroup("b.slice/io.stat", "8:0 rbytes=0 wbytes=5 rios=0 wios=1 dbytes=0 dios=0\n");
    let [first, around] = limits(100)[..] else { panic!("two limits") };
    assert_eq!((first, around.is_own, around.level, around.disk), (own, false, 2, (8, 0)));
    assert_eq!((around.write.bytes_max, around.write.bytes), (Some(99), 5));
    qemu.cgroup("b.slice/a.scope/io.stat", "254:0 rbytes=junk wbytes=0 rios=1 wios=1\n");
    assert_eq!(limits(200), [around]);
}

#[test]
fn more_cgroups_of_single_threads_than_any_guest_has_are_not_read() {
    const MOST: u32 = 1024;
    let scope = "machine-qemu\\x2d1\\x2dq.scope/libvirt";
    let asked = |vcpus, iothreads| {
        let qemu = Qemu::new();
        qemu.0.write("proc/7/cgroup", format!("0::/{scope}/emulator\n"));
        for (name, number) in [("vcpu", vcpus), ("iothread", iothreads)] {
            for at in 0..number {
                qemu.cgroup(&format!("{scope}/{name}{at}/cpu.stat"), "throttled_usec 1000\n");
            }
        }
        let mut vmm = qemu.vmm();
        let of_threads = vmm.bounds(&mut qemu.host(), at(0)).threads_throttled;
        (ask(&mut vmm, "vm.cpu.throttled", 0), of_threads.map(|time| time.as_millis()))
    };
    assert_eq!(asked(MOST, MOST), ("1.024".to_owned(), Some(1024)));
    assert_eq!(asked(MOST + 1, 0).0, "could not be read on this host");
    assert_eq!(asked(0, MOST + 1).1, None);
}
