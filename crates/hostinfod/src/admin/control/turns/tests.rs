use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, SystemTime};

use clap::Parser as _;
use hostinfo_peer::examples::{Slow, pair};
use rustix::net::SendFlags;

use super::*;
use crate::admin::Before;
use crate::admin::control::client::is_trusted_by;
use crate::args::Args;
use crate::guests::Guests;
use crate::guests::tests::guests;
use crate::logging::Logging;
use crate::reactor::Reactor;
use crate::settings;
use crate::settings::file::SettingsFile;

const CALL: &[u8] = b"{\"method\":\"org.hostinfo.Control.Status\"}\0";

/// A control socket with clients, and what they ask about.
struct World {
    control: Control,
    reactor: Reactor,
    guests: Guests,
    settings: SettingsFile,
    logging: Logging,
    clients: Vec<UnixStream>,
}

impl World {
    fn with_clients(below: &Path, count: usize) -> Self {
        let mut reactor = Reactor::new().unwrap();
        let socket = below.join("control");
        let at = settings::Control { socket: socket.clone(), ..settings::Control::default() };
        let before = Before { socket: None, since: SystemTime::now(), left_out: 0 };
        let mut control = Control::open(at, before, &reactor).unwrap();
        let connect = |_| {
            let client = UnixStream::connect(&socket).unwrap();
            client.set_nonblocking(true).unwrap();
            control.accept(&mut reactor.now());
            client
        };
        let clients = (0..count).map(connect).collect();
        let (settings, _) = SettingsFile::open(Args::parse_from(["hostinfod"]), Some("")).unwrap();
        let (guests, logging) = (guests(below), Logging::none());
        Self { control, reactor, guests, settings, logging, clients }
    }

    fn numbers(&self) -> Vec<ClientId> {
        self.control.clients.iter().map(|(number, _)| number).collect()
    }

    /// What a round does for the clients, all of which have something to read; returns their answers.
    fn round(&mut self) -> Vec<usize> {
        let Self { control, reactor, guests, settings, logging, .. } = self;
        let (socket, metrics) = (control.state(), None);
        let daemon = &mut Daemon { guests, settings, logging, socket, metrics };
        let numbers: Vec<ClientId> = control.clients.iter().map(|(number, _)| number).collect();
        for number in numbers {
            control.on_ready(number, false, daemon, &mut reactor.now());
        }
        control.take_work();
        self.answered()
    }

    /// The turns that were put off, as long as the round has room for them.
    fn alarms(&mut self) -> Vec<usize> {
        let Self { control, reactor, guests, settings, logging, .. } = self;
        let (socket, metrics) = (control.state(), None);
        let daemon = &mut Daemon { guests, settings, logging, socket, metrics };
        let (now, mut work) = (reactor.now().now + Duration::from_millis(1), 0);
        while work < ROUND_WORK
            && let Some(Alarm::Client(number)) = reactor.due(now)
        {
            control.on_alarm(number, daemon, &mut reactor.now());
            work += control.take_work();
        }
        self.answered()
    }

    /// Whoever has an answer to read.
    fn answered(&mut self) -> Vec<usize> {
        let mut buffer = vec![0; 64 * 1024];
        let clients = self.clients.iter_mut().enumerate();
        clients.filter_map(|(place, client)| client.read(&mut buffer).ok().map(|_| place)).collect()
    }

    fn ask(&mut self, place: usize) {
        self.clients[place].write_all(CALL).unwrap();
    }
}

#[test]
fn one_call_is_answered_in_a_round_and_the_others_wait_for_their_turns() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::with_clients(folder.path(), 4);
    (0..4).for_each(|place| world.ask(place));
    assert_eq!(world.round(), [0]);
    assert_eq!(world.alarms(), [1]);
    // However often the first one asks, those that were put off keep their places.
    world.ask(0);
    assert_eq!(world.round(), [0]);
    assert_eq!(world.alarms(), [2]);
    world.ask(0);
    world.ask(1);
    assert_eq!(world.round(), [0]);
    assert_eq!(world.alarms(), [3]);
    assert_eq!(world.alarms(), [1]);
    assert_eq!(world.numbers().len(), 4);
}

#[test]
fn a_call_without_a_reply_is_made_although_its_client_was_put_off_and_has_gone() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::with_clients(folder.path(), 2);
    world.ask(0);
    let set = b"{\"method\":\"org.hostinfo.Control.HostStateSet\",\"parameters\":{\"state\":\"draining\"},\"oneway\":true}\0";
    let mut gone = world.clients.pop().unwrap();
    gone.write_all(set).unwrap();
    drop(gone);
    assert_eq!(world.round(), [0]);
    assert!(world.guests.engine().admin_values().declared.is_none());
    world.alarms();
    assert!(world.guests.engine().admin_values().declared.is_some());
}

#[test]
fn before_an_upgrade_all_but_those_who_asked_are_hung_up_on_and_nobody_waits_for_what_they_sent() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::with_clients(folder.path(), 2);
    let World { control, reactor, .. } = &mut world;
    let asker = control.clients.iter().map(|(number, _)| number).next().unwrap();
    control.clients.get_mut(asker).unwrap().await_upgrade();
    let send = || {
        let (sender, socket) = pair(&control.unclosed).unwrap();
        (Slow::new().unwrap().send(&sender, SendFlags::empty()).unwrap(), sender, socket)
    };
    let (of_watcher, mut watcher, socket) = send();
    let (of_refused, mut refused, refused_at) = send();
    let mut client = Client::new(socket, rustix::process::geteuid());
    client.watch(None);
    control.clients.insert(client);
    let ctx = &mut reactor.now();
    control.refused.add(refused_at, b"no room", ctx.now);
    control.hang_up_on_all_but_askers(ctx);
    assert!(ctx.now.elapsed() < Duration::from_secs(180));
    assert_eq!(control.unclosed.count(), 2);
    drop((of_watcher, of_refused));
    assert_eq!(world.numbers(), [asker]);
    for client in [&mut watcher, &mut refused, &mut world.clients[1]] {
        assert!(client.write(b"x").is_err());
    }
}

#[test]
fn the_daemons_helper_is_trusted_with_nothing_where_a_person_who_runs_the_daemon_is() {
    let [root, service, person] = [0, 999, 1000].map(Uid::from_raw);
    for (daemon, user, expected) in [
        (root, root, true),
        (service, root, true),
        (service, service, false),
        (person, person, true),
        (person, service, false),
        (service, person, false),
    ] {
        assert_eq!(is_trusted_by(daemon, user), expected, "{user:?} of {daemon:?}");
    }
}
