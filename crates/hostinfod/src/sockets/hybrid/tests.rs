use super::*;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use hostinfo_wire::limits::LINE_MAX;

use crate::sockets::pace::PlaceChange;
use crate::sockets::place::at_last;

fn section(base: &Path) -> Section {
    let path = format!("{}/vm/{{name}}/run/v_4678", base.display());
    assert!(path.len() < LINE_MAX);
    let text = format!("path = '{path}'\ndriver = 'fc'\nuser = '1'\nguests = ['fc-*']");
    Section::new(toml::from_str(&text).unwrap(), &Signal::new().unwrap()).unwrap()
}

fn look(section: &mut Section) -> BTreeSet<String> {
    let now = Instant::now();
    let names = RefCell::new(section.place.look_at_all(now));
    let is_done =
        |section: &mut Section| (!section.place.is_being_looked_at()).then(|| names.take());
    at_last(section, is_done, |section| {
        names.borrow_mut().extend(section.place.take_late(9, now).1);
    })
}

/// How far there is a way.
fn open(section: &mut Section, name: &str) -> Result<GuestDir, FileError> {
    let now = Instant::now();
    let found = RefCell::new(section.find(name, None, now));
    let late = |section: &mut Section| {
        let (late, _) = section.place.take_late(9, now);
        late.into_iter().for_each(|late| _ = found.replace(Some(late.found)));
    };
    match at_last(section, |_| found.take(), late) {
        Done::Found(way, _) => way,
        other => panic!("{other:?}"),
    }
}

fn changed(names: &[&str]) -> BTreeSet<PlaceChange<String>> {
    names.iter().map(|name| PlaceChange::Guest((*name).to_owned())).collect()
}

#[test]
fn guests_directories_are_seen_as_they_come_and_go() {
    let folder = tempfile::tempdir().unwrap();
    let vm = folder.path().join("vm");
    let (mut section, mut now) = (section(folder.path()), Instant::now());
    // Each time a second later.
    let mut changes = |section: &mut Section| {
        now += Duration::from_secs(1);
        section.place.changes(now)
    };
    assert!(look(&mut section).is_empty());
    fs::create_dir(&vm).unwrap();
    assert_eq!(changes(&mut section), BTreeSet::from([PlaceChange::Everything]));
    assert!(look(&mut section).is_empty());
    fs::create_dir(vm.join("web")).unwrap();
    assert_eq!(changes(&mut section), changed(&["web"]));
    assert!(matches!(open(&mut section, "web"), Ok(GuestDir::Incomplete(None))));
    fs::create_dir(vm.join("web/run")).unwrap();
    assert_eq!(changes(&mut section), changed(&["web"]));
    assert!(matches!(open(&mut section, "web"), Ok(GuestDir::Open(_))));
    // A VMM's own files are none of ours.
    fs::write(vm.join("web/run/console.log"), "").unwrap();
    assert_eq!(changes(&mut section), changed(&[]));
    fs::write(vm.join("web/run/v_4678"), "").unwrap();
    assert_eq!(changes(&mut section), changed(&["web"]));
    fs::remove_dir_all(vm.join("web")).unwrap();
    assert_eq!(changes(&mut section), changed(&["web"]));
    assert!(matches!(open(&mut section, "web"), Ok(GuestDir::Missing)));
    section.place.remove("web");
    assert_eq!(section.place.below().len(), 0);
}

#[test]
fn directories_that_a_vmm_moves_away_are_watched_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let web = folder.path().join("vm/web");
    fs::create_dir_all(&web).unwrap();
    let mut section = section(folder.path());
    for time in 0..5 {
        fs::create_dir(web.join("run")).unwrap();
        assert!(matches!(open(&mut section, "web"), Ok(GuestDir::Open(_))));
        assert_eq!(section.place.below().len(), 2);
        fs::rename(web.join("run"), web.join(format!("old{time}"))).unwrap();
    }
}

#[test]
fn a_link_is_no_directory_of_a_guest() {
    let folder = tempfile::tempdir().unwrap();
    let vm = folder.path().join("vm");
    fs::create_dir_all(vm.join("web/run")).unwrap();
    symlink("web", vm.join("mail")).unwrap();
    fs::create_dir(vm.join("db")).unwrap();
    symlink("../web/run", vm.join("db/run")).unwrap();
    fs::write(vm.join("file"), "").unwrap();
    let mut section = section(folder.path());
    for other in ["mail", "file"] {
        assert!(matches!(open(&mut section, other), Ok(GuestDir::Missing)), "{other}");
    }
    let directory = open(&mut section, "db");
    assert!(matches!(&directory, Ok(GuestDir::Incomplete(Some(why))) if why.contains("db/run")));
}
