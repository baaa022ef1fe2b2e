use super::*;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{lchown, symlink};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::time::Duration;

use hostinfo_file::aside::Signal;
use hostinfo_open::Sockets;

use crate::sockets::pace::PlaceChange;
use crate::sockets::place::at_last;

struct Scene {
    folder: tempfile::TempDir,
    patterns: PatternDir,
    now: Instant,
}

impl Scene {
    fn new(pattern: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display();
        let text = format!(
            "[[sockets]]\npath = '{path}/{pattern}'\ndriver = 'qemu'\nguests = ['qemu-1*', 'qemu-.*']"
        );
        let entry = Sockets::parse(&text).unwrap().entries()[0].clone();
        let patterns = PatternDir::new(entry, &Signal::new().unwrap()).unwrap();
        let mut scene = Self { folder, patterns, now: Instant::now() };
        assert!(scene.look().is_empty());
        scene
    }

    /// The guests that are there or were.
    fn look(&mut self) -> BTreeSet<String> {
        let found = self.patterns.look_at_all(self.now);
        let patterns = &mut self.patterns;
        let late = RefCell::new(found);
        let look =
            |patterns: &mut PatternDir| (!patterns.is_being_looked_at()).then(|| late.take());
        at_last(patterns, look, |patterns| {
            late.borrow_mut().extend(patterns.take_late(9, self.now).1);
        })
    }

    fn find(&mut self, name: &str) -> Found {
        let found = self.patterns.find(name, self.now);
        self.found(found)
    }

    fn watch(&mut self, name: &str) {
        let found = self.patterns.watch_and_find(name, self.now);
        let _ = self.found(found);
    }

    fn found(&mut self, found: Option<Found>) -> Found {
        let found = RefCell::new(found);
        let late = |patterns: &mut PatternDir| {
            let (late, _) = patterns.take_late(9, self.now);
            late.into_iter().for_each(|late| _ = found.replace(Some(late.found.found)));
        };
        at_last(&mut self.patterns, |_| found.take(), late)
    }

    fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn bind(&self, path: &str) -> UnixListener {
        UnixListener::bind(self.at(path)).unwrap()
    }

    /// The names whose sockets have changed; `*` for all.
    fn changed_names(&mut self) -> Vec<String> {
        // Each time a second later.
        self.now += Duration::from_secs(1);
        let changes = self.patterns.changes(self.now).into_iter();
        let name = |change| match change {
            PlaceChange::Guest(name) => name,
            PlaceChange::Everything => "*".to_owned(),
        };
        changes.map(name).collect()
    }
}

#[test]
fn only_sockets_that_match_in_full_and_are_enabled_are_reported() {
    let mut scene = Scene::new("{name}.serial1");
    let names = ["100.serial1", "100.serial0", "100.qmp", "200.serial1", ".serial1", "..serial1"];
    let _sockets: Vec<UnixListener> = names.iter().map(|name| scene.bind(name)).collect();
    assert_eq!(scene.changed_names(), ["100"]);
    assert_eq!(scene.look(), ["100".to_owned()].into());
    scene.find("100").unwrap();
    fs::remove_file(scene.at("100.serial1")).unwrap();
    assert_eq!(scene.changed_names(), ["100"]);
    assert!(matches!(scene.find("100"), Err(ConnectError::Gone)));
}

#[test]
fn a_directory_that_is_not_there_is_waited_for_and_one_that_comes_again_too() {
    let mut scene = Scene::new("a/b/{name}");
    for _ in 0..2 {
        fs::create_dir(scene.at("a")).unwrap();
        assert_eq!(scene.changed_names(), ["*"]);
        assert!(scene.look().is_empty() && scene.patterns.state().problem.is_none());
        fs::create_dir(scene.at("a/b")).unwrap();
        assert_eq!(scene.changed_names(), ["*"]);
        scene.look();
        let _socket = scene.bind("a/b/1");
        assert_eq!(scene.changed_names(), ["1"]);
        fs::rename(scene.at("a"), scene.at("old")).unwrap();
        assert_eq!(scene.changed_names(), ["*"]);
        assert!(scene.look().is_empty());
        fs::write(scene.at("old/b/2"), "").unwrap();
        assert!(scene.changed_names().is_empty(), "nothing of the old one is watched");
        fs::remove_dir_all(scene.at("old")).unwrap();
    }
}

#[test]
fn directories_of_a_guests_own_are_watched_while_they_are_there() {
    let mut scene = Scene::new("{name}/run/s");
    fs::create_dir_all(scene.at("100/run")).unwrap();
    fs::create_dir_all(scene.at("200/run")).unwrap();
    assert_eq!(scene.changed_names(), ["100"]);
    scene.watch("100");
    let _socket = scene.bind("100/run/s");
    assert_eq!(scene.changed_names(), ["100"]);
    scene.find("100").unwrap();
    fs::rename(scene.at("100"), scene.at("x")).unwrap();
    assert_eq!(scene.changed_names(), ["100"]);
    scene.watch("100");
    assert_eq!(scene.patterns.below().len(), 0);
    fs::write(scene.at("x/run/t"), "").unwrap();
    assert!(scene.changed_names().is_empty());
    fs::remove_dir_all(scene.at("x")).unwrap();
    assert!(scene.changed_names().is_empty());
}

#[test]
fn a_link_in_the_place_of_a_guests_own_directory_or_socket_leads_nowhere() {
    let mut scene = Scene::new("{name}/s");
    fs::create_dir(scene.at("100")).unwrap();
    let _socket = scene.bind("100/s");
    symlink("100", scene.at("101")).unwrap();
    fs::create_dir(scene.at("102")).unwrap();
    symlink("../100/s", scene.at("102/s")).unwrap();
    scene.find("100").unwrap();
    assert!(matches!(scene.find("102"), Err(ConnectError::Link)));
    fs::write(scene.at("103"), "").unwrap();
    for name in ["101", "103"] {
        let error = scene.find(name).unwrap_err().to_string();
        let told =
            format!("{} is not a directory, or is a symbolic link", scene.at(name).display());
        assert!(error.starts_with(&told), "{error}");
    }
}

#[test]
fn a_place_for_which_others_put_a_link_is_not_served_until_a_directory_is_there() {
    let mut scene = Scene::new("vm/{name}");
    fs::create_dir(scene.at("others")).unwrap();
    let _socket = scene.bind("others/1");
    let swap = |scene: &Scene| {
        symlink("others", scene.at("vm")).unwrap();
        lchown(scene.at("vm"), Some(4321), None).unwrap();
    };
    swap(&scene);
    for _ in 0..2 {
        assert_eq!(scene.changed_names(), ["*"]);
        assert!(scene.look().is_empty());
        let problem = scene.patterns.state().problem.unwrap();
        assert!(problem.contains("is a symbolic link that others"), "{problem}");
        assert!(matches!(scene.find("1"), Err(ConnectError::Failed(_))));
        fs::write(scene.at("others/12"), "").unwrap();
        assert!(scene.changed_names().is_empty(), "what it leads to is not watched");
        fs::remove_file(scene.at("others/12")).unwrap();

        fs::remove_file(scene.at("vm")).unwrap();
        fs::rename(scene.at("others"), scene.at("vm")).unwrap();
        assert_eq!(scene.changed_names(), ["*"]);
        assert_eq!(scene.look(), ["1".to_owned()].into());
        assert_eq!(scene.patterns.state().problem, None);
        scene.find("1").unwrap();

        fs::rename(scene.at("vm"), scene.at("others")).unwrap();
        swap(&scene);
    }
}
