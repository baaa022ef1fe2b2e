use super::*;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use hostinfo_answer::{Dialect, Peer};
use hostinfo_domains::examples::domain;
use hostinfo_domains::{Helper, Message, Run, VERSION};
use hostinfo_peer::PeerSocket;
use hostinfo_render::vhostmd::EMPTY;
use hostinfo_wire::limits::LOG_BURST;
use rustix::event::{PollFd, PollFlags, Timespec};

use crate::disks::tests::content;
use crate::guest::peer::Identified;
use crate::guests::tests::guests;
use crate::libvirt::Libvirt;
use crate::port::{Endpoint, Port};
use crate::reactor::Reactor;
use crate::reactor::id::PortId;

const HOUR: Duration = Duration::from_secs(3600);

/// The guest `qemu-a`, which has a metrics disk.
struct Scene {
    folder: tempfile::TempDir,
    guests: Guests,
    reactor: Reactor,
    now: Instant,
    port: PortId,
}

impl Scene {
    /// Nothing has been written yet.
    fn new(rules: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (mut guests, now) = (guests(folder.path()), Instant::now());
        let guest = guests.guest(&Name::parse("qemu-a").unwrap(), now).unwrap();
        let port = Port::new(guest, Endpoint::Socket, Dialect::Hostinfo, now);
        let port = guests.roster.add_port(port);
        let mut scene = Self { folder, guests, reactor: Reactor::new().unwrap(), now, port };
        scene.set_rules(rules);
        scene
    }

    fn ctx(&mut self) -> (&mut Guests, Ctx<'_>) {
        (&mut self.guests, Ctx { reactor: &mut self.reactor, now: self.now })
    }

    fn set_rules(&mut self, rules: &str) {
        fs::write(self.folder.path().join("hostinfo.conf"), rules).unwrap();
        let (guests, mut ctx) = self.ctx();
        guests.reload_rules(&mut ctx);
    }

    /// The process with that number listens at the guest's socket.
    fn connect(&mut self, pid: i32) {
        let (_, fd) = UnixStream::pair().unwrap();
        let peer = Identified { peer: Peer { pid, start: Some(7) }, is_libvirt: false };
        let port = self.port;
        let (guests, mut ctx) = self.ctx();
        guests.connect(port, PeerSocket::from(OwnedFd::from(fd)), None, Ok(peer), &mut ctx);
        assert!(guests.roster.ports.get(port).unwrap().connection.is_some());
    }

    fn hang_up(&mut self) {
        let port = self.port;
        let (guests, mut ctx) = self.ctx();
        guests.hang_up(port, "a test", &mut ctx);
    }

    /// libvirt has the domain `a` now, or has none.
    fn report(&mut self, run: Option<Run>) {
        let (guests, mut ctx) = self.ctx();
        let domain = run.map(|run| Message::Domain(Domain { id: run.id, ..domain(1, "a") }));
        let said = [Some(Message::Hello { version: VERSION }), domain, Some(Message::Done(0))];
        let said: Vec<Message> = said.into_iter().flatten().collect();
        *guests.responder.libvirt() = Libvirt::asked_by(Libvirt::helper_that_says(&said));
        guests.responder.libvirt().begin(ctx.now);
        guests.turn_of_helper(Helper::on_time, &mut ctx);
        while guests.responder.libvirt().known().is_none() {
            let patience = Timespec { tv_sec: 10, tv_nsec: 0 };
            let helper = guests.responder.libvirt().helper().unwrap();
            let mut polled = [PollFd::new(helper, PollFlags::IN)];
            assert_eq!(rustix::event::poll(&mut polled, Some(&patience)), Ok(1), "nothing comes");
            guests.turn_of_helper(Helper::on_ready, &mut ctx);
        }
    }

    /// Writes the disk if that is due.
    fn go_on(&mut self, after: Duration) {
        self.now += after;
        while let Some(alarm) = self.reactor.due(self.now) {
            if let Alarm::Disk(guest) = alarm {
                let (guests, mut ctx) = self.ctx();
                guests.write_disk(guest, &mut ctx);
            }
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("disk/qemu-a")
    }

    /// What the disk shows, as far as it was told to.
    fn shown(&self) -> String {
        while self.guests.disks.finish().is_err() {}
        content(&self.path()).trim_end().to_owned()
    }

    fn shows(&self, name: &str) -> bool {
        self.shown().contains(&format!("<name>{name}</name>"))
    }

    fn is_empty(&self) -> bool {
        self.shown() == EMPTY.trim_end()
    }
}

/// Rules with a disk for all guests of this name.
fn rules(name: &str, more: &str) -> String {
    format!("{name}:\n interval = 1h\n vhostmd-disk = 1\n{more}")
}

#[test]
fn a_disk_is_there_and_empty_as_soon_as_the_rule_is_in_force() {
    let mut scene = Scene::new(&rules("qemu-a", ""));
    assert!(scene.is_empty());
    scene.go_on(Duration::ZERO);
    assert!(scene.shows("Time"));
}

#[test]
fn a_guest_that_connects_again_and_again_has_its_disk_written_once_an_interval() {
    for name in ["qemu-a", "qemu-*"] {
        let mut scene = Scene::new(&rules(name, ""));
        scene.connect(7);
        scene.go_on(Duration::ZERO);
        assert!(scene.shows("Time"));
        fs::write(scene.path(), "as it is").unwrap();
        for pid in [7, 7, 7, 8, 9] {
            scene.go_on(Duration::from_secs(60));
            scene.hang_up();
            scene.connect(pid);
            scene.go_on(Duration::ZERO);
            while scene.guests.disks.finish().is_err() {}
            let is_same = pid == 7 && name == "qemu-a";
            assert_eq!(fs::read(scene.path()).unwrap() == b"as it is", is_same);
            assert!(is_same || scene.is_empty());
        }
        scene.go_on(HOUR);
        assert!(scene.shows("Time"));
    }
}

#[test]
fn what_a_rule_takes_away_leaves_the_disk_before_the_next_document_is_made() {
    let mut scene = Scene::new(&rules("qemu-a", " loadavg = 1\n host.name = 1\n"));
    scene.go_on(Duration::ZERO);
    assert!(scene.shows("Time"));
    let shown = scene.shown();
    scene.set_rules(&format!("qemu-b:\n{}", rules("qemu-a", " loadavg = 1\n host.name = 1\n")));
    assert!(!scene.is_empty(), "that is the same");
    scene.set_rules(&rules("qemu-a", " loadavg = 1\n host.name = 0\n"));
    assert!(scene.is_empty());
    scene.go_on(Duration::ZERO);
    assert!(scene.shows("Time") && scene.shown() != shown);
    for less in ["qemu-a:\n", "qemu-a:\n enabled = 0\n vhostmd-disk = 1\n"] {
        scene.set_rules(&rules("qemu-a", ""));
        scene.go_on(Duration::ZERO);
        assert!(scene.shows("Time"));
        scene.set_rules(less);
        assert!(scene.is_empty());
        scene.go_on(2 * HOUR);
        assert!(scene.is_empty());
    }
}

#[test]
fn another_process_does_not_see_the_disk_of_the_one_before() {
    let mut scene = Scene::new(&rules("qemu-a", ""));
    scene.connect(7);
    scene.go_on(Duration::ZERO);
    scene.hang_up();
    scene.connect(7);
    assert!(scene.shows("Time"));
    scene.hang_up();
    scene.connect(8);
    assert!(scene.is_empty());
}

#[test]
fn without_libvirt_a_disk_is_emptied_when_its_guest_goes_unless_a_rule_names_it() {
    for (name, is_named) in [("qemu-a", true), ("qemu-*", false)] {
        let mut scene = Scene::new(&rules(name, ""));
        scene.connect(7);
        scene.go_on(Duration::ZERO);
        assert!(scene.shows("Time"));
        scene.hang_up();
        assert_eq!(scene.shows("Time"), is_named);
    }
}

#[test]
fn a_domain_sees_no_disk_of_an_earlier_run_and_need_not_wait_for_what_was_written_while_it_was_off()
{
    let mut scene = Scene::new(&rules("qemu-a", ""));
    scene.go_on(Duration::ZERO);
    assert!(scene.shows("Time"));
    let run = |id| Some(Run { id: Some(id), reverts: 0 });
    scene.report(run(1));
    assert!(scene.is_empty());
    scene.go_on(Duration::ZERO);
    assert!(scene.shows("Time"));
    for run in [run(2), None, run(3)] {
        scene.report(run);
        scene.go_on(Duration::from_secs(60));
        assert!(scene.is_empty());
    }
    scene.go_on(HOUR);
    assert!(scene.shows("Time"));
}

#[test]
fn as_many_lines_are_logged_about_all_disks_that_are_no_guests_yet_as_about_one_guest() {
    let folder = tempfile::tempdir().unwrap();
    let (mut guests, now) = (guests(folder.path()), Instant::now());
    let logged = |number: &u32| guests.ask_quota(&format!("qemu-{number}"), now).is_some();
    assert_eq!((0..100).filter(logged).count(), LOG_BURST as usize);
}
