//! Which reason a guest gets where its cgroups have no figure, and whether the administrator can mend that.

use hostinfo_catalog::STATS;
use hostinfo_catalog::source::{PressureFigure, Resource, Stall, Vmm as Source};
use hostinfo_sample::Lack;

use crate::qemu::{Qemu, ask, at};

#[test]
fn pressure_that_is_turned_off_for_a_cgroup_is_no_lack_of_the_host() {
    let qemu = Qemu::new();
    let name = "vm.pressure.memory.full.avg10";
    assert_eq!(ask(&mut qemu.vmm(), name, 0), "this host does not measure pressure");
    qemu.0.write("proc/pressure/memory", "some avg10=0.00\n");
    let told = ask(&mut qemu.vmm(), name, 0);
    assert_eq!(told, "the pressure of this guest's cgroup is not measured");
}

#[test]
fn figures_that_an_old_kernel_or_cgroup_v1_lacks_are_no_fault() {
    let lack = |qemu: &Qemu, stall| {
        let what = Source::Pressure(Resource::Cpu, stall, PressureFigure::Avg10);
        qemu.vmm().value(what, None, at(0)).unwrap_err().lack
    };
    // Linux 4.20 to 5.12.
    let qemu = Qemu::new();
    qemu.cgroup("a.scope/cpu.pressure", "some avg10=0.00 avg60=0.00 avg300=0.00 total=5\n");
    assert_eq!(lack(&qemu, Stall::Full), Lack::Unsupported);
    qemu.cgroup("a.scope/cpu.pressure", "full avg10=0.00 avg60=0.00 avg300=0.00 total=5\n");
    assert!(matches!(lack(&qemu, Stall::Some), Lack::Fault(_)));
    qemu.remove("sys/fs/cgroup/cgroup.controllers");
    qemu.0.write("proc/7/cgroup", "1:cpu:/\n0::/\n");
    assert_eq!(lack(&qemu, Stall::Some), Lack::Chosen);
    qemu.0.write("proc/sys/kernel/osrelease", "3.10.0-1160.el7.x86_64\n");
    assert_eq!(lack(&qemu, Stall::Some), Lack::Unsupported);
}

#[test]
fn an_absurd_file_of_one_guest_is_no_fault_of_the_host() {
    let qemu = Qemu::new();
    for file in ["cpu.stat", "cpu.max", "memory.max", "cpu.weight", "cpu.pressure"] {
        qemu.cgroup(&format!("a.scope/{file}"), "x\n");
    }
    let (mut host, mut vmm) = (qemu.0.host(), qemu.vmm());
    for name in [
        "vm.cpu.throttled",
        "vm.cpu.quota",
        "vm.cpu.weight",
        "vm.memory.limit",
        "vm.pressure.cpu.some.seconds",
    ] {
        let stat = STATS.iter().find(|stat| stat.name == name).unwrap();
        let hostinfo_catalog::Source::Vmm(what) = stat.source else { panic!("{name}") };
        let absent = vmm.value(what, None, at(0)).unwrap_err();
        assert!(absent.reason.starts_with("this guest"), "{name}: {absent}");
        host.note_of("qemu-a", stat.source, Some(&absent));
    }
    assert_eq!(host.missing().count(), 0);
    assert!(host.missing_of_guests().count() > 0);
}

#[test]
fn a_cgroup_without_a_controller_is_no_lack_of_the_host_and_has_the_remedy_of_who_made_it() {
    let remedy = |qemu: &Qemu| {
        let value = qemu.vmm().value(Source::Weight, None, at(0));
        let absent = value.unwrap_err();
        absent.advice().unwrap_or_else(|| format!("no fault: {}", absent.without()))
    };
    let is_no_fault = |qemu: &Qemu| remedy(qemu).starts_with("no fault: ");
    let qemu = Qemu::new();
    assert!(is_no_fault(&qemu) && remedy(&qemu).contains("systemctl"), "{}", remedy(&qemu));
    qemu.moves("machine-qemu\\x2d1\\x2dq.scope", "7\n");
    assert!(is_no_fault(&qemu) && remedy(&qemu).contains("qemu.conf"), "{}", remedy(&qemu));
    // By hand, or by libvirt as a session's.
    qemu.moves("user.slice", "7\n");
    assert!(
        remedy(&qemu).contains("systemd-run") && remedy(&qemu).contains("qemu:///system"),
        "{}",
        remedy(&qemu)
    );
}

#[test]
fn a_host_with_cgroup_v2_beside_v1_measures_pressure_and_only_this_guest_has_none() {
    let qemu = Qemu::new();
    std::fs::remove_file(qemu.0.path().join("sys/fs/cgroup/cgroup.controllers")).unwrap();
    qemu.0.write("proc/7/cgroup", "1:cpu:/\n0::/\n");
    let mut vmm = qemu.vmm();
    let pressure = "vm.pressure.cpu.some.avg10";
    let none = "this host does not measure guests' pressure";
    assert_eq!(ask(&mut vmm, pressure, 0), none);
    qemu.0.write("sys/fs/cgroup/unified/cgroup.controllers", "");
    assert_eq!(ask(&mut vmm, pressure, 100), "this guest has no cgroup of its own");
}
