use super::*;
use hostinfo_render::vhostmd::EMPTY;

use hostinfo_domains::{Disk, Figures, Io, Net, Run, Traffic};

use crate::guest::standing::Standing;
use crate::libvirt::examples;

impl Scene {
    /// The guest as the domain `a` of a libvirt that knows these figures.
    fn in_libvirt(rules: &str, figures: Figures) -> Self {
        let mut scene = Self::new(rules);
        scene.engine.libvirt = examples::with_figures(figures);
        let run = Run { id: Some(1), reverts: 0 };
        scene.guest.stand(Standing::Domain(examples::UUID, run), scene.now);
        scene.now = Instant::now();
        scene
    }
}

fn figures() -> Figures {
    let io = |bytes, ops, nanos| Io { bytes, ops: Some(ops), nanos: Some(nanos) };
    Figures {
        memory_current: Some(64 << 20),
        disks: vec![Disk {
            dev: "vda".to_owned(),
            read: io(Some(512), 1, 2_500_000),
            flush: io(None, 3, 0),
            limit_bytes: Some(7_000_000),
            ..Disk::default()
        }],
        nets: vec![Net { rx: Traffic { bytes: Some(90), ..Traffic::default() }, ..Net::default() }],
        ..Figures::default()
    }
}

#[test]
fn what_libvirt_tells_of_a_guest_is_answered_and_what_it_does_not_tell_is_not() {
    let mut scene = Scene::in_libvirt(FREE, figures());
    let uuid = examples::UUID;
    assert_eq!(
        scene.ask("vm.uuid vm.vcpus vm.vcpus.max vm.memory.current vm.memory.maximum"),
        format!(
            "200-vm.uuid={uuid}\n200-vm.vcpus=2\n200-vm.vcpus.max=4\n\
             200-vm.memory.current=67108864\n\
             503 vm.memory.maximum: libvirt does not tell this of this guest\n"
        )
    );
    assert_eq!(
        scene.ask("vm.disk"),
        "200-vm.disk.vda.read.bytes=512\n200-vm.disk.vda.read.ops=1\n\
         200-vm.disk.vda.read.seconds=0.0025\n200-vm.disk.vda.flush.ops=3\n\
         200-vm.disk.vda.flush.seconds=0\n200 vm.disk.vda.limit.bytes=7000000\n"
    );
    assert_eq!(
        scene.ask("vm.net vm.paused.seconds"),
        "200-vm.net.0.rx.bytes=90\n200 vm.paused.seconds=0\n"
    );
    assert_eq!(
        scene.ask("vm.disk.vdb.read.ops vm.net.1.rx.bytes vm.disk.vda.latency"),
        "404-vm.disk.vdb.read.ops: no such statistic\n404-vm.net.1.rx.bytes: no such statistic\n\
         503 vm.disk.vda.latency: ask again in 1 s\n"
    );
    assert!(scene.ask("list vm.disk.vda").contains("200-vm.disk.vda.read.bytes counter bytes"));
}

#[test]
fn figures_have_their_age_and_old_ones_are_asked_for_anew() {
    let mut scene = Scene::in_libvirt(FREE, figures());
    scene.wait(30_000);
    let answer = scene.ask("vm.memory.current sample.age");
    let age = answer.split("sample.age=").nth(1).unwrap().trim().parse::<f64>().unwrap();
    assert!((30.0..40.0).contains(&age), "{answer}");
    scene.wait(60_000);
    assert_eq!(scene.ask("vm.memory.current"), "503 vm.memory.current: ask again in 1 s\n");
    assert_eq!(scene.ask("vm.disk"), "503 vm.disk: ask again in 1 s\n");
    assert!(scene.ask("vm.uuid").starts_with("200 "));
    assert!(scene.engine.libvirt.next_deadline().is_some(), "libvirt is asked");
}

#[test]
fn who_is_no_domain_and_who_is_on_a_host_that_does_not_ask_libvirt_are_told_so() {
    let mut scene = Scene::in_libvirt(FREE, figures());
    scene.guest.stand(Standing::Unnamed, scene.now);
    for name in ["vm.uuid", "vm.memory.current", "vm.disk", "vm.net.0.rx.bytes"] {
        let answer = format!("503 {name}: this guest is no domain of libvirt\n");
        assert_eq!(scene.ask(name), answer);
    }
    let mut scene = Scene::new("*:\n interval = 0\n all = 1\n");
    for name in ["vm.uuid", "guests.running", "vcpu.overcommit", "hypervisor.version"] {
        let answer = format!("503 {name}: this host does not ask libvirt\n");
        assert_eq!(scene.ask(name), answer);
    }
}

#[test]
fn who_is_not_who_the_socket_says_is_blocked() {
    let mut scene = Scene::new(FREE);
    scene.guest.stand(Standing::Refused("two domains have it".to_owned()), scene.now);
    for line in ["loadavg", "json loadavg", "metrics", "GET /metrics/XML"] {
        assert_eq!(scene.ask(line), "403 this guest may not ask\n");
    }
    assert_eq!(scene.ask("list"), "403 list: not permitted\n");
    scene.dialect = Dialect::Vhostmd;
    assert_eq!(scene.ask("GET /metrics/XML"), "<metrics>\n</metrics>\n\n");
    let document = scene.engine.document(&mut scene.guest, scene.now.into());
    assert_eq!(document.unwrap(), EMPTY);
}

#[test]
fn vhostmds_document_has_the_domains_uuid_and_a_number_that_is_not_libvirts() {
    let mut scene = Scene::in_libvirt(FREE, figures());
    let document = scene.ask("GET /metrics/XML");
    let attributes = format!(" id='29' uuid='{}'", examples::UUID);
    assert!(document.contains(&attributes), "{document}");
}
