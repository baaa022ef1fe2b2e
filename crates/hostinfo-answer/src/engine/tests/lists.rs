//! What `list` costs, which does not count against the interval.

use std::collections::BTreeMap;

use super::*;
use hostinfo_domains::Figures;

use crate::labels::Labels;

const MINUTE: &str = "*:\n interval = 60\n";

impl Scene {
    /// The numbers of the vCPUs that `list` names.
    fn listed_vcpus(&mut self) -> Vec<u32> {
        let number = |line: &str| {
            let (_, name) = line.split_once("vm.cpu.")?;
            name.split_once(".delay ")?.0.parse().ok()
        };
        self.ask("list vm.cpu").lines().filter_map(number).collect()
    }
}

#[test]
fn lists_have_the_vcpus_looked_for_once_an_interval_however_many_there_are() {
    let mut scene = Scene::with_vmm(MINUTE);
    scene.vcpu(1, 0);
    assert_eq!(scene.listed_vcpus(), [0]);
    scene.write("7/task/9/comm", "CPU 1/KVM\n");
    scene.write("7/task/9/schedstat", "1 1 1\n");
    for _ in 0..600 {
        assert_eq!(scene.listed_vcpus(), [0]);
        scene.wait(99);
    }
    scene.wait(600);
    assert_eq!(scene.listed_vcpus(), [0, 1]);
}

#[test]
fn a_query_that_needs_no_threads_does_not_have_lists_look_for_the_vcpus_sooner() {
    let mut scene = Scene::with_vmm(MINUTE);
    scene.vcpu(1, 0);
    assert_eq!(scene.listed_vcpus(), [0]);
    scene.write("7/task/9/comm", "CPU 1/KVM\n");
    scene.write("7/task/9/schedstat", "1 1 1\n");
    scene.wait(30_000);
    scene.ask("vm.memory.resident");
    scene.wait(29_000);
    assert_eq!(scene.listed_vcpus(), [0]);
    scene.wait(1000);
    assert_eq!(scene.listed_vcpus(), [0, 1]);
}

#[test]
fn a_list_shows_the_instances_that_a_query_has_read_and_is_no_query_itself() {
    let mut scene = Scene::with_vmm(MINUTE);
    assert!(scene.listed_vcpus().is_empty());
    scene.vcpu(1, 0);
    scene.wait(1000);
    assert_eq!(scene.ask("vm.cpu.0.seconds"), "200 vm.cpu.0.seconds=1\n");
    assert_eq!(scene.listed_vcpus(), [0]);
}

#[test]
fn a_vmm_that_is_gone_is_looked_for_once_an_interval() {
    let mut scene = Scene::with_vmm(MINUTE);
    fs::remove_dir_all(scene.host.path().join("7")).unwrap();
    let gone = scene.ask("list vm.cpu.0");
    assert!(gone.starts_with("503 vm.cpu.0: "), "{gone}");
    for file in ["stat", "status"] {
        // Whoever read these would not say that it is gone.
        scene.write(&format!("7/{file}"), "?\n");
    }
    scene.wait(59_000);
    assert_eq!(scene.ask("list vm.cpu.0"), gone);
    scene.wait(1000);
    assert_ne!(scene.ask("list vm.cpu.0"), gone);
}

#[test]
fn statistics_without_instances_are_listed_without_a_look_at_the_vmm() {
    let mut scene = Scene::with_vmm(MINUTE);
    scene.vcpu(1, 0);
    assert!(scene.ask("list vm.cpu.delay vm.memory.rss vm.cpu.0.delay").starts_with("200-"));
    assert!(scene.observed.asked_vmm().is_none(), "none was made to be asked");
}

#[test]
fn lists_have_libvirt_asked_once_an_interval_and_name_devices_of_any_age() {
    let figures = Figures {
        disks: vec![hostinfo_domains::Disk { dev: "vda".to_owned(), ..Default::default() }],
        ..Figures::default()
    };
    let mut scene = Scene::in_libvirt(MINUTE, figures);
    scene.wait(60_000);
    for _ in 0..59 {
        scene.wait(1000);
        assert!(scene.ask("list vm.disk").starts_with("200-vm.disk.vda."));
    }
    assert_eq!(scene.engine.libvirt().refreshed, 1);
}

#[test]
fn a_list_that_becomes_too_long_is_not_worked_out_to_its_end() {
    let disk = |number| hostinfo_domains::Disk { dev: format!("vd{number}"), ..Default::default() };
    let figures = Figures { disks: (0..1000).map(disk).collect(), ..Figures::default() };
    let mut scene = Scene::in_libvirt(MINUTE, figures);
    scene.engine.take_work();
    assert_eq!(scene.ask("list vm.disk"), "503 reply too long, ask for a group\n");
    let (looked_at, in_all) = (scene.engine.take_work(), 12 * 1000);
    assert!(looked_at < in_all / 2, "{looked_at}");
}

#[test]
fn a_list_of_groups_of_labels_looks_at_each_label_once() {
    let labels = (0..1000).map(|number| (format!("g{}.{number}", number % 100), "x".to_owned()));
    let mut scene = Scene::new("*:\n interval = 60\n label = 1\n");
    scene.engine.backend.admin_values.labels =
        Labels::try_from(labels.collect::<BTreeMap<_, _>>()).unwrap();
    let groups: Vec<String> = (10..100).map(|number| format!("label.g{number}")).collect();
    scene.engine.take_work();
    let listed = scene.ask(&format!("list {}", groups.join(" ")));
    assert_eq!(listed.lines().filter(|line| line.starts_with("200")).count(), 900);
    let looked_at = scene.engine.take_work();
    assert!(looked_at < 1100, "{looked_at}");
}
