//! RAPL's packages and a guest's share of them, in the kernel's format: see
//! Documentation/power/powercap/powercap.rst.

use std::time::Duration;

use crate::tree::Tree;
use hostinfo_sample::{Host, Lack, Moment, Vmm};

const ZONES: &str = "sys/class/powercap/intel-rapl";

/// A host with two packages, whose CPUs were busy for `busy`, of which a guest ran for `run`; each
/// package's counter is in `packages`.
fn set(tree: &Tree, busy: u64, run: u64, packages: [u64; 2]) {
    tree.write("proc/stat", format!("cpu  {} 0 0 100 0 0 0 0 0 0\n", busy * 100));
    tree.write("proc/7/stat", "7 (qemu-kvm) S 1 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 3 0 1234 1 2 3\n");
    tree.write("proc/7/status", "VmRSS: 1 kB\n");
    tree.write("proc/7/task/8/comm", "CPU 0/KVM\n");
    tree.write("proc/7/task/8/schedstat", format!("{} 0 1\n", run * 1_000_000_000));
    for (zone, micros) in packages.iter().enumerate() {
        tree.write(&format!("{ZONES}:{zone}/name"), format!("package-{zone}\n"));
        tree.write(&format!("{ZONES}:{zone}/energy_uj"), format!("{micros}\n"));
        tree.write(&format!("{ZONES}:{zone}/max_energy_range_uj"), "262143328850\n");
    }
}

fn ask(host: &mut Host, vmm: &mut Vmm, seconds: u64) -> String {
    match vmm.energy(host, Moment::new(Duration::from_secs(seconds))) {
        Ok(value) => value.to_string(),
        Err(absent) => absent.to_string(),
    }
}

#[test]
fn a_guest_is_told_what_its_share_of_the_busy_time_cost() {
    let tree = Tree::new(&[]);
    let (mut host, mut vmm) = (tree.host(), tree.vmm(7, None));
    // Neither a part of a package nor the whole machine is a package.
    for (zone, name) in [(":0:0", "core"), (":2", "psys"), ("-mmio:0", "package-0")] {
        tree.write(&format!("{ZONES}{zone}/name"), name);
        tree.write(&format!("{ZONES}{zone}/energy_uj"), "1");
    }
    set(&tree, 1_000, 10, [262_143_000_000, 5_000_000]);
    assert_eq!(ask(&mut host, &mut vmm, 0), "0");
    // The first one wraps around: 0.328850 J and 99.671150 J; the second counts 100 J.
    set(&tree, 1_010, 11, [99_671_150, 105_000_000]);
    assert_eq!(ask(&mut host, &mut vmm, 60), "20");
    assert_eq!(ask(&mut host, &mut vmm, 60), "20");
}

#[test]
fn a_host_without_rapl_says_what_it_needs() {
    let tree = Tree::new(&[]);
    let (mut host, mut vmm) = (tree.host(), tree.vmm(7, None));
    set(&tree, 1_000, 10, [0, 0]);
    std::fs::remove_dir_all(tree.path().join("sys")).unwrap();
    let absent = vmm.energy(&mut host, Moment::new(Duration::ZERO)).unwrap_err();
    assert_eq!(absent.reason, "this host does not measure energy");
    assert_eq!(absent.advice(), None, "it is no fault of a machine that has no RAPL");
    assert!(absent.without().contains("; to turn it on, load the module intel_rapl_msr"));
}

#[test]
fn a_host_that_cannot_have_rapl_says_so_and_nothing_is_wrong() {
    let virtual_machine = "vendor_id : AuthenticAMD\nflags : fpu hypervisor rapl\n";
    for cpuinfo in [virtual_machine, "vendor_id       : IBM/S390\n", "CPU implementer : 0x41\n"] {
        let tree = Tree::new(&[("proc/cpuinfo", cpuinfo)]);
        let (mut host, mut vmm) = (tree.host(), tree.vmm(7, None));
        set(&tree, 1_000, 10, [0, 0]);
        std::fs::remove_dir_all(tree.path().join("sys")).unwrap();
        let absent = vmm.energy(&mut host, Moment::new(Duration::ZERO)).unwrap_err();
        assert_eq!(
            (&*absent.reason, absent.lack),
            ("this host has no energy meter", Lack::Unsupported)
        );
    }
}

#[test]
fn a_package_without_a_figure_is_not_left_out_of_the_sum() {
    let tree = Tree::new(&[]);
    let (mut host, mut vmm) = (tree.host(), tree.vmm(7, None));
    set(&tree, 1_000, 10, [5, 6]);
    tree.write(&format!("{ZONES}:1/energy_uj"), "x");
    assert_eq!(ask(&mut host, &mut vmm, 0), "this host's kernel does not report it");
}
