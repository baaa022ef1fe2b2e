//! Places at which every look is late, as they are once a place's patience is used up.

mod upgrades;

use super::*;

use std::fs;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use hostinfo_open::Sockets;
use rustix::process::geteuid;

use crate::guests::tests::guests;
use crate::settings::hybrid::parse;
use crate::sockets::place::{at_last, spend};
use crate::system::file_id::FileId;

const NAMES: [&str; 3] = ["db", "mail", "web"];

/// Longer than any test goes on.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A daemon that waits for no look at the directories in a folder.
struct Scene {
    folder: tempfile::TempDir,
    guests: Guests,
    reactor: Reactor,
    now: Instant,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("vm");
        NAMES.iter().for_each(|name| fs::create_dir_all(below.join(name)).unwrap());
        let guests = guests(folder.path());
        Self { folder, guests, reactor: Reactor::new().unwrap(), now: Instant::now() }
    }

    /// The daemon connects to sockets there.
    fn sockets() -> Self {
        let mut scene = Self::new();
        scene.apply("'ch-none'");
        for (_, pattern) in scene.guests.patterns.dirs.iter_mut() {
            spend(pattern.patience(), scene.now + DAY);
        }
        scene
    }

    fn apply(&mut self, names: &str) {
        let path = self.at("{name}/s");
        let path = path.display();
        let text = format!("[[sockets]]\npath = '{path}'\ndriver = 'ch'\nguests = [{names}]\n");
        let sockets = Sockets::parse(&text).unwrap();
        self.guests.apply_sockets(&sockets, &mut Ctx { reactor: &mut self.reactor, now: self.now });
    }

    /// The daemon listens there.
    fn listen() -> Self {
        let mut scene = Self::new();
        scene.listen_for("'fc-none'");
        for (_, section) in scene.guests.sections.iter_mut() {
            spend(section.place.patience(), scene.now + DAY);
        }
        scene
    }

    fn listen_for(&mut self, names: &str) {
        let (path, user) = (self.at("{name}/s"), geteuid().as_raw());
        let path = path.display();
        let text = format!(
            "[[listen]]\npath = '{path}'\ndriver = 'fc'\nuser = '{user}'\nguests = [{names}]\n"
        );
        let settings = parse(&text).unwrap();
        self.guests.listen_at(settings, &mut Ctx { reactor: &mut self.reactor, now: self.now });
    }

    fn at(&self, path: &str) -> std::path::PathBuf {
        self.folder.path().join("vm").join(path)
    }

    /// Takes what changes and what is found, until it is as it should be.
    fn until(&mut self, mut is_so: impl FnMut(&mut Self) -> bool) {
        let look = |scene: &mut Self| is_so(scene).then_some(());
        at_last(self, look, Self::turn);
    }

    fn turn(&mut self) {
        // The next changes are as many as may be taken.
        self.now += Duration::from_secs(1);
        let ctx = &mut Ctx { reactor: &mut self.reactor, now: self.now };
        for number in self.guests.patterns.dirs.ids(|_| true) {
            self.guests.take_pattern_changes(number, ctx);
        }
        for id in self.guests.sections.ids(|_| true) {
            self.guests.take_section_changes(id, ctx);
        }
        self.guests.take_late_looks(ctx);
    }

    /// Whether nothing is being looked at, or was and is to be taken.
    fn is_quiet(&self) -> bool {
        let patterns = self.guests.patterns.dirs.iter().all(|(_, one)| !one.is_being_looked_at());
        patterns && self.guests.sections.iter().all(|(_, one)| !one.place.is_being_looked_at())
    }

    fn port(&mut self, name: &str) -> Option<&mut Port> {
        let guest = self.guests.roster.named(name)?;
        let mut ports = self.guests.roster.ports.iter_mut();
        ports.find(|(_, port)| port.guest == guest).map(|(_, port)| port)
    }

    /// The file of the socket that a guest's port is connected to.
    fn connected_to(&mut self, name: &str) -> Option<FileId> {
        self.port(name)?.connection.as_ref()?.file
    }

    fn listens(&mut self, name: &str) -> bool {
        let endpoint = self.port(name).map(|port| &port.endpoint);
        matches!(endpoint, Some(Endpoint::Listener(listener)) if listener.socket.is_some())
    }
}

fn file(path: &Path) -> FileId {
    let directory = fs::File::open(path.parent().unwrap()).unwrap();
    crate::sockets::find(directory, path.file_name().unwrap()).unwrap().1
}

#[test]
fn the_command_that_shows_where_a_thread_is_held_names_this_process_and_no_other() {
    let said = something_is_held();
    assert!(said.contains(&format!("cat /proc/{}/task/*/stack", std::process::id())), "{said}");
}

#[test]
fn all_sockets_that_are_found_late_are_connected_to() {
    let mut scene = Scene::sockets();
    let _sockets = NAMES.map(|name| UnixListener::bind(scene.at(name).join("s")).unwrap());
    scene.apply("'ch-*'");
    scene.until(|scene| {
        NAMES.iter().all(|name| scene.connected_to(&format!("ch-{name}")).is_some())
    });
    scene.until(|scene| scene.is_quiet());
    assert_eq!(scene.guests.roster.ports.iter().count(), NAMES.len());
}

#[test]
fn a_guest_that_is_disabled_while_its_socket_is_looked_for_is_not_served_when_it_is_found() {
    let mut scene = Scene::sockets();
    let _sockets = NAMES.map(|name| UnixListener::bind(scene.at(name).join("s")).unwrap());
    scene.apply("'ch-db', 'ch-web'");
    scene.until(|scene| {
        let mut patterns = scene.guests.patterns.dirs.iter_mut();
        patterns.any(|(_, pattern)| pattern.ask_again("web"))
    });
    scene.apply("'ch-db'");
    scene.until(|scene| scene.connected_to("ch-db").is_some() && scene.is_quiet());
    assert!(scene.port("ch-web").is_none());
}

#[test]
fn a_socket_that_is_exchanged_while_it_is_looked_for_is_connected_to_where_it_is_in_the_end() {
    let mut scene = Scene::sockets();
    let sockets = NAMES.map(|name| UnixListener::bind(scene.at(name).join("s")).unwrap());
    scene.apply("'ch-*'");
    scene.until(|scene| {
        NAMES.iter().all(|name| scene.connected_to(&format!("ch-{name}")).is_some())
    });
    drop(sockets);
    let mut kept = Vec::new();
    for time in 0..20 {
        for name in NAMES {
            let path = scene.at(name).join("s");
            fs::rename(&path, scene.at(name).join(format!("old{time}"))).unwrap();
            kept.push(UnixListener::bind(path).unwrap());
        }
        scene.turn();
    }
    let files = NAMES.map(|name| file(&scene.at(name).join("s")));
    scene.until(|scene| {
        let connected = NAMES.map(|name| scene.connected_to(&format!("ch-{name}")));
        scene.is_quiet() && connected == files.map(Some)
    });
}

#[test]
fn a_contest_ends_where_it_is_seen_late_that_one_of_the_sockets_is_gone() {
    let mut scene = Scene::sockets();
    let _socket = UnixListener::bind(scene.at("web/s")).unwrap();
    scene.apply("'ch-web'");
    scene.until(|scene| scene.connected_to("ch-web").is_some() && scene.is_quiet());
    let this = crate::guest::peer::now(std::process::id().cast_signed(), Path::new("/proc"));
    scene.port("ch-web").unwrap().connection = None;
    let guest = scene.guests.roster.named("ch-web").unwrap();
    scene.guests.contested.insert(guest, [Some(this), Some(this)]);
    fs::remove_file(scene.at("web/s")).unwrap();
    scene.until(|scene| scene.guests.contested.is_empty());
    assert!(scene.port("ch-web").is_none());
}

#[test]
fn a_new_socket_that_is_found_late_is_tried_from_the_first_time_on() {
    let mut scene = Scene::sockets();
    let socket = UnixListener::bind(scene.at("web/s")).unwrap();
    scene.apply("'ch-web'");
    scene.until(|scene| scene.connected_to("ch-web").is_some() && scene.is_quiet());
    let long_ago = scene.now.checked_sub(Duration::from_secs(60)).unwrap();
    let port = scene.port("ch-web").unwrap();
    (port.connection, port.since) = (None, long_ago);
    drop(socket);
    fs::remove_file(scene.at("web/s")).unwrap();
    let _socket = UnixListener::bind(scene.at("web/s")).unwrap();
    scene.until(|scene| scene.connected_to("ch-web").is_some() && scene.is_quiet());
    assert!(scene.port("ch-web").unwrap().since > long_ago);
}

#[test]
fn a_connection_that_the_opener_has_made_stays_where_something_changes_while_its_socket_is_looked_for()
 {
    let mut scene = Scene::sockets();
    let _socket = UnixListener::bind(scene.at("web/s")).unwrap();
    scene.apply("'ch-web'");
    scene.until(|scene| scene.connected_to("ch-web").is_some());
    scene.until(|scene| scene.is_quiet());
    let since = scene.port("ch-web").unwrap().connection.as_mut().map(|connection| {
        connection.file = None;
        connection.since
    });
    // A look, and another change during it.
    scene.apply("'ch-web'");
    scene.apply("'ch-web'");
    scene.until(|scene| scene.is_quiet());
    let port = scene.port("ch-web").unwrap();
    let connection = port.connection.as_ref().unwrap();
    assert_eq!((Some(connection.since), connection.file), (since, Some(file(&scene.at("web/s")))));
}

#[test]
fn the_daemon_listens_in_all_directories_that_are_found_late() {
    let mut scene = Scene::listen();
    scene.listen_for("'fc-*'");
    scene.until(|scene| NAMES.iter().all(|name| scene.listens(&format!("fc-{name}"))));
    scene.until(|scene| scene.is_quiet());
    for name in NAMES {
        UnixStream::connect(scene.at(name).join("s")).unwrap();
    }
}

#[test]
fn the_daemon_listens_in_the_directory_that_is_there_in_the_end() {
    let mut scene = Scene::listen();
    fs::create_dir(scene.folder.path().join("away")).unwrap();
    scene.listen_for("'fc-*'");
    for time in 0..20 {
        scene.turn();
        for name in NAMES {
            let away = scene.folder.path().join("away").join(format!("{name}{time}"));
            fs::rename(scene.at(name), away).unwrap();
            fs::create_dir(scene.at(name)).unwrap();
        }
    }
    scene.until(|scene| {
        let connects = |name: &&str| UnixStream::connect(scene.at(name).join("s")).is_ok();
        NAMES.iter().all(connects) && scene.is_quiet()
    });
    assert!(aside::finish(Duration::from_secs(60)));
    let away = fs::read_dir(scene.folder.path().join("away")).unwrap();
    let mut old = away.map(|directory| directory.unwrap().path().join("s"));
    assert!(!old.any(|old| old.exists()), "a socket is not removed");
}
