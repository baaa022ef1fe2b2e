//! Verdicts about guests whose processes are made of files.

use super::*;
use hostinfo_domains::examples::domain;
use hostinfo_domains::{Disk, Figures, Io, Run};
use hostinfo_sample::OpenFiles;

use crate::examples::{FakeLibvirt, UUID};
use crate::observed::Process;
use crate::peer::Peer;
use crate::standing::Standing;

impl Scene {
    /// A guest that is process 7, with one vCPU that ran and waited for a fixed time.
    pub(super) fn with_vmm(rules: &str) -> Self {
        let mut scene = Self::new(rules);
        scene.write(
            "7/stat",
            "7 (qemu-system-x86) S 1 7 7 0 -1 4 9 0 5 0 6 7 0 0 20 0 3 0 100 1 2\n",
        );
        scene.write("7/status", "VmRSS: 4 kB\n");
        scene.write("7/task/7/comm", "qemu-system-x86\n");
        scene.write("7/task/7/schedstat", "1000 1000 1\n");
        let roots = Roots { proc: scene.host.path().into(), sys: scene.host.path().join("none") };
        scene.observed = Observed::new(Ok(Process::new(
            roots.into(),
            OpenFiles::default(),
            Peer { pid: 7, start: None },
        )));
        scene
    }

    pub(super) fn write(&self, file: &str, text: &str) {
        let path = self.host.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Sets how long its vCPU has run and waited since it began, in seconds, on a host that does
    /// nothing else.
    pub(super) fn vcpu(&self, ran: u64, waited: u64) {
        self.write("7/task/8/comm", "CPU 0/KVM\n");
        let nanos = |seconds: u64| seconds * 1_000_000_000;
        self.write("7/task/8/schedstat", &format!("{} {} 1\n", nanos(ran), nanos(waited)));
    }

    /// Lets that time pass, and takes every sample that becomes due.
    pub(super) fn pass(&mut self, millis: u64) {
        let until = self.now + Duration::from_millis(millis);
        let next = |scene: &Self| scene.observed.watch.as_ref()?.next_sample();
        while let Some(next) = next(self).filter(|next| *next <= until) {
            self.now = self.now.max(next);
            self.engine.watch(&self.who, &mut self.observed, self.now).unwrap();
        }
        self.now = until;
    }
}

#[test]
fn the_guest_of_a_vmm_that_does_not_name_its_threads_reads_so_instead_of_a_cpu_verdict() {
    let mut scene = Scene::with_vmm("*:\n interval = 0\n verdict = 1\n");
    for name in ["verdict.cpu", "verdict.cpu.state"] {
        let nameless = format!("503 {name}: this guest's VMM does not name its threads\n");
        assert_eq!(scene.ask(name), nameless);
    }
    assert!(scene.observed.watch.is_none());
    let again = "200 verdict.memory=unknown: ask again in 5 s\n";
    assert_eq!(scene.ask("verdict.memory"), again);
}

#[test]
fn a_verdict_comes_after_5_s_and_names_the_time_that_it_covers() {
    let mut scene = Scene::with_vmm("*:\n interval = 0\n");
    scene.vcpu(100, 0);
    let first = "200-verdict.cpu=unknown: ask again in 5 s\n200 verdict.cpu.state=unknown\n";
    assert_eq!(scene.ask("verdict.cpu verdict.cpu.state"), first);
    scene.pass(2_000);
    assert_eq!(scene.ask("verdict.cpu"), "200 verdict.cpu=unknown: ask again in 3 s\n");
    scene.vcpu(105, 0);
    scene.pass(3_000);
    assert_eq!(
        scene.ask("verdict.cpu verdict.cpu.state"),
        "200-verdict.cpu=ok: your own work kept your vCPUs busy 100% of the last 5 s\n200 verdict.cpu.state=ok\n"
    );
    let reply = scene.ask("verdict.cpu.state window");
    assert_eq!(reply, "200-verdict.cpu.state=ok\n200 window=5\n");
    scene.pass(95_000);
    assert!(scene.ask("verdict.cpu").contains(" of the last 60 s"));
}

#[test]
fn whatever_the_interval_the_second_question_is_answered_when_the_first_answer_says() {
    for (interval, wait, window) in
        [("0.5", 5, 5), ("30", 30, 30), ("60", 60, 60), ("299.5", 300, 60)]
    {
        let mut scene = Scene::with_vmm(&format!("*:\n interval = {interval}\n"));
        scene.vcpu(100, 0);
        let again = format!("200 verdict.cpu=unknown: ask again in {wait} s\n");
        assert_eq!(scene.ask("verdict.cpu"), again);
        scene.pass(wait * 1000);
        let reply = scene.ask("verdict.cpu");
        assert!(reply.starts_with("200 verdict.cpu=ok: "), "{reply}");
        assert!(reply.contains(&format!("the last {window} s")), "{reply}");
    }
}

#[test]
fn words_and_states_of_all_verdicts_come_from_one_watch_and_a_group_has_them_all() {
    let mut scene = Scene::with_vmm("*:\n interval = 0\n");
    scene.vcpu(100, 0);
    let reply = scene.ask("verdict");
    let names: Vec<&str> =
        reply.lines().map(|line| line.split_at(4).1.split('=').next().unwrap()).collect();
    assert_eq!(
        names,
        [
            "verdict.cpu",
            "verdict.cpu.state",
            "verdict.memory",
            "verdict.memory.state",
            "verdict.io",
            "verdict.io.state",
            "verdict.net",
            "verdict.net.state",
        ]
    );
    assert!(reply.lines().all(|line| line.contains("=unknown")), "{reply}");
    assert_eq!(scene.ask("verdict.io.*"), "200 verdict.io.state=unknown\n");
    scene.pass(5_000);
    let reply = scene.ask("verdict.cpu verdict.memory.state");
    assert!(reply.contains("=ok") && !reply.contains("ask again"), "{reply}");
}

#[test]
fn hiding_a_verdict_hides_its_state_but_a_rule_may_show_the_state_alone() {
    let mut scene = Scene::with_vmm(
        "*:\n interval = 0\n verdict.cpu = 0\n verdict.io = 0\n verdict.io.state = 1\n",
    );
    scene.vcpu(100, 0);
    assert_eq!(
        scene.ask("verdict.cpu verdict.cpu.state verdict.io verdict.io.state"),
        "403-verdict.cpu: not permitted\n403-verdict.cpu.state: not permitted\n\
         403-verdict.io: not permitted\n200 verdict.io.state=unknown\n"
    );
}

#[test]
fn as_metrics_a_verdict_is_its_states_and_texts_are_left_out() {
    let mut scene = Scene::with_vmm("*:\n interval = 0\n");
    scene.vcpu(100, 0);
    let reply = scene.ask("metrics verdict");
    for line in [
        "200-# TYPE hostinfo_verdict_cpu gauge\n",
        "200-hostinfo_verdict_cpu{state=\"ok\"} 0\n",
        "200-hostinfo_verdict_net{state=\"unknown\"} 1\n",
    ] {
        assert!(reply.contains(line), "{reply}");
    }
    assert!(!reply.contains("_info") && !reply.contains("ask again"), "{reply}");
}

#[test]
fn devices_that_libvirt_never_reports_differ_from_those_that_it_does_not_report_now() {
    let never = "this host has no figures of your disks: they come from libvirt";
    let now =
        "for now there are no figures of your disks: libvirt gave this host none in the last 5 s";
    let known = || domain(7, "a");
    for (libvirt, told) in [
        (FakeLibvirt::default(), never),
        (FakeLibvirt::silent(), now),
        (FakeLibvirt::without_figures(known()), now),
        (FakeLibvirt::with_figures(known(), Figures::default()), never),
    ] {
        let mut scene = Scene::with_vmm("*:\n interval = 0\n");
        scene.engine.backend.libvirt = libvirt;
        scene.set_standing(Standing::Domain(UUID, Run { id: Some(1), reverts: 0 }));
        scene.ask("verdict.io");
        scene.pass(5_000);
        assert_eq!(scene.ask("verdict.io"), format!("200 verdict.io=unknown: {told}\n"));
    }
}

#[test]
fn a_guest_whose_first_sample_lacked_something_is_told_when_it_may_ask_again() {
    let mut scene = Scene::with_vmm("*:\n interval = 7\n");
    scene.set_standing(Standing::Domain(UUID, Run { id: Some(1), reverts: 0 }));
    scene.engine.backend.libvirt = FakeLibvirt::without_figures(domain(7, "a"));
    scene.ask("verdict.io");
    scene.pass(2_000);
    let read = Io { ops: Some(1), ..Io::default() };
    let disk = Disk { dev: "vda".to_owned(), read, ..Disk::default() };
    let figures = Figures { disks: vec![disk], ..Figures::default() };
    scene.engine.backend.libvirt = FakeLibvirt::with_figures(domain(7, "a"), figures);
    scene.pass(5_000);
    assert_eq!(scene.ask("verdict.io"), "200 verdict.io=unknown: ask again in 7 s\n");
}
