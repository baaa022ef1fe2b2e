//! What a guest reads of libvirt's figures, and of what libvirt says about it.

use super::*;
use hostinfo_render::vhostmd::EMPTY;

use hostinfo_domains::examples::domain;
use hostinfo_domains::{Disk, Domain, Figures, Io, Limit, Limits, Net, Run, Traffic, Vcpu};

use crate::examples::{self, FakeLibvirt};
use crate::standing::Standing;

impl Scene {
    /// The guest as the domain `a` of a libvirt that knows these figures. The guest has asked for
    /// them itself.
    pub(super) fn in_libvirt(rules: &str, figures: Figures) -> Self {
        Self::in_libvirt_as(rules, domain(7, "a"), figures)
    }

    fn in_libvirt_as(rules: &str, domain: Domain, figures: Figures) -> Self {
        let mut scene = Self::new(rules);
        scene.observed.history().may_refresh(Duration::ZERO, scene.now);
        scene.engine.backend.libvirt = FakeLibvirt::with_figures(domain, figures);
        let run = Run { id: Some(1), reverts: 0 };
        scene.set_standing(Standing::Domain(examples::UUID, run));
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
            limits: Limits {
                bytes: Limit { total: Some(7_000_000), ..Limit::default() },
                ..Limits::default()
            },
            ..Disk::default()
        }],
        nets: vec![Net { rx: Traffic { bytes: Some(90), ..Traffic::default() }, ..Net::default() }],
        ..Figures::default()
    }
}

#[test]
fn a_guest_gets_the_figures_that_libvirt_reports_and_no_others() {
    let mut scene = Scene::in_libvirt(FREE, figures());
    let uuid = examples::UUID;
    assert_eq!(
        scene.ask("vm.uuid vm.vcpus vm.vcpus.max vm.memory.current vm.memory.maximum"),
        format!(
            "200-vm.uuid={uuid}\n200-vm.vcpus=2\n200-vm.vcpus.max=4\n\
             200-vm.memory.current=67108864\n\
             503 vm.memory.maximum: libvirt does not report this for this guest\n"
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
    assert_eq!(
        scene.ask("vm.disk.vda.errors"),
        "503 vm.disk.vda.errors: libvirt does not report this for this guest\n"
    );
    assert!(scene.ask("list vm.disk.vda").contains("200-vm.disk.vda.read.bytes counter bytes"));
}

#[test]
fn kvms_counters_are_the_sum_of_all_vcpus_and_absent_without_kvm() {
    let vcpu = |number, exits| Vcpu {
        number,
        exits: Some(exits),
        halt_poll: Some(1_500_000),
        ..Vcpu::default()
    };
    let counted = Figures { vcpus: vec![vcpu(0, 40), vcpu(1, 2)], ..Figures::default() };
    let mut scene = Scene::in_libvirt(FREE, counted.clone());
    assert_eq!(
        scene.ask("vm.exits vm.haltpoll"),
        "200-vm.exits=42\n200 vm.haltpoll.seconds=0.003\n"
    );
    assert_eq!(
        scene.ask("vm.irqs"),
        "503 vm.irqs: libvirt does not report this for this guest now: \
         it needs libvirt 8.9, QEMU 7.1 and x86\n"
    );
    let older = Figures { halt_poll: Some(2_000_000), ..Figures::default() };
    assert_eq!(
        Scene::in_libvirt(FREE, older).ask("vm.haltpoll.seconds"),
        "200 vm.haltpoll.seconds=0.002\n"
    );
    let emulated = Domain { is_kvm: false, ..domain(7, "a") };
    let halt_poll = Figures { halt_poll: Some(1), ..counted };
    let mut scene = Scene::in_libvirt_as(FREE, emulated, halt_poll);
    for name in ["vm.exits.io", "vm.irqs", "vm.haltpoll.seconds"] {
        let none = "this guest does not run on KVM, which counts this";
        assert_eq!(scene.ask(name), format!("503 {name}: {none}\n"));
    }
}

#[test]
fn the_balloon_has_taken_the_maximum_less_the_current_memory() {
    let taken = |current, maximum| {
        let figures =
            Figures { memory_current: current, memory_maximum: maximum, ..Figures::default() };
        Scene::in_libvirt(FREE, figures).ask("vm.memory.balloon.taken")
    };
    assert_eq!(taken(Some(3), Some(8)), "200 vm.memory.balloon.taken=5\n");
    assert_eq!(taken(Some(8), Some(8)), "200 vm.memory.balloon.taken=0\n");
    assert_eq!(taken(Some(9), Some(8)), "200 vm.memory.balloon.taken=0\n");
    assert!(taken(None, Some(8)).starts_with("503 "));
}

#[test]
fn an_interface_without_a_limit_differs_from_one_whose_limit_is_not_reported() {
    let net = Net { rx_limit: Some(1_000_000), tx_limit: Some(0), ..Net::default() };
    let without_counts = Net { number: 1, ..Net::default() };
    let mut scene =
        Scene::in_libvirt(FREE, Figures { nets: vec![net, without_counts], ..Figures::default() });
    assert_eq!(
        scene.ask("vm.net.0.rx.limit vm.net.0.tx.limit vm.net.1.tx.limit vm.net.2.tx.limit"),
        "200-vm.net.0.rx.limit=1000000\n\
         503-vm.net.0.tx.limit: this interface has no limit\n\
         503-vm.net.1.tx.limit: libvirt does not report this for this guest\n\
         404 vm.net.2.tx.limit: no such statistic\n"
    );
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
    assert!(scene.engine.backend.libvirt.refreshed > 0, "libvirt is asked");
}

#[test]
fn figures_that_others_had_asked_for_are_as_old_as_figures_can_be() {
    let mut scene = Scene::in_libvirt(FREE, figures());
    for seconds in [0, 7, 30] {
        scene.observed.forget_history();
        scene.wait(seconds * 1000);
        assert_eq!(
            scene.ask("vm.memory.current sample.age"),
            "200-vm.memory.current=67108864\n200 sample.age=75\n"
        );
    }
}

#[test]
fn a_guest_without_a_domain_and_one_on_a_host_that_does_not_ask_libvirt_read_why() {
    let mut scene = Scene::in_libvirt(FREE, figures());
    scene.set_standing(Standing::Unnamed);
    for name in ["vm.uuid", "vm.memory.current", "vm.disk", "vm.net.0.rx.bytes"] {
        let answer = format!("503 {name}: this guest is not a domain of libvirt\n");
        assert_eq!(scene.ask(name), answer);
    }
    let mut scene = Scene::new("*:\n interval = 0\n all = 1\n");
    for name in ["vm.uuid", "guests.running", "vcpu.overcommit", "hypervisor.version"] {
        let answer = format!("503 {name}: this host does not ask libvirt\n");
        assert_eq!(scene.ask(name), answer);
    }
}

#[test]
fn a_guest_that_libvirt_refuses_gets_a_single_line_or_an_empty_document() {
    let mut scene = Scene::new(FREE);
    scene.set_standing(Standing::Refused("two domains have it".to_owned()));
    for line in ["loadavg", "json loadavg", "metrics", "GET /metrics/XML"] {
        assert_eq!(scene.ask(line), "403 this guest may not ask\n");
    }
    assert_eq!(scene.ask("list"), "403 list: not permitted\n");
    scene.protocol.dialect = Dialect::Vhostmd;
    assert_eq!(scene.ask("GET /metrics/XML"), "<metrics>\n</metrics>\n\n");
    let document = scene.engine.document(&scene.who, &mut scene.observed, scene.now.into());
    assert_eq!(document.unwrap(), EMPTY);
}

#[test]
fn vhostmds_document_has_the_domains_uuid_and_a_number_that_is_not_libvirts() {
    let mut scene = Scene::in_libvirt(FREE, figures());
    let document = scene.ask("GET /metrics/XML");
    let attributes = format!(" id='29' uuid='{}'", examples::UUID);
    assert!(document.contains(&attributes), "{document}");
}
