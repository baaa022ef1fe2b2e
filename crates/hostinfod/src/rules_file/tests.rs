use super::*;
use crate::system::mounts::{mount_tmpfs, with_own_mounts};

use std::fs;
use std::os::unix::fs::symlink;

use tempfile::TempDir;

fn folder(rules: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hostinfo.conf");
    fs::write(&path, rules).unwrap();
    (folder, path)
}

fn open(path: &Path) -> Result<RulesFile, Error> {
    RulesFile::open(path, Watcher::new().unwrap())
}

fn interval(file: &RulesFile) -> u64 {
    file.rules().decide("qemu-a").interval().as_secs()
}

/// Handles changes and, if the file is due, reads it.
fn settle(file: &mut RulesFile) -> Option<Result<bool, Error>> {
    file.take_changes(Instant::now());
    file.due().map(|_| file.reload(Instant::now()))
}

#[test]
fn every_way_of_changing_a_file_is_seen() {
    let (folder, path) = folder("*:\n interval = 1\n");
    let mut file = open(&path).unwrap();
    let aside = folder.path().join("aside");

    fs::write(&path, "*:\n interval = 2\n").unwrap();
    assert!(settle(&mut file).unwrap().unwrap());
    assert_eq!(interval(&file), 2);

    fs::write(&aside, "*:\n interval = 3\n").unwrap();
    assert!(settle(&mut file).is_none(), "another file is not ours");
    fs::rename(&aside, &path).unwrap();
    settle(&mut file).unwrap().unwrap();
    assert_eq!(interval(&file), 3);

    fs::write(&aside, "*:\n interval = 4\n").unwrap();
    fs::remove_file(&path).unwrap();
    fs::hard_link(&aside, &path).unwrap();
    settle(&mut file).unwrap().unwrap();
    assert_eq!(interval(&file), 4);

    fs::remove_file(&path).unwrap();
    symlink("aside", &path).unwrap();
    settle(&mut file).unwrap().unwrap();
    fs::write(&aside, "*:\n interval = 5\n").unwrap();
    settle(&mut file).unwrap().unwrap();
    assert_eq!(interval(&file), 5);
}

#[test]
fn a_link_on_the_way_that_leads_elsewhere_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (version, interval) in [("v1", 1), ("v2", 2)] {
        fs::create_dir(at(version)).unwrap();
        fs::write(at(version).join("rules"), format!("*:\n interval = {interval}\n")).unwrap();
    }
    symlink("v1", at("current")).unwrap();
    symlink("current/rules", at("hostinfo.conf")).unwrap();
    let mut file = open(&at("hostinfo.conf")).unwrap();
    symlink("v2", at("next")).unwrap();
    fs::rename(at("next"), at("current")).unwrap();
    settle(&mut file).unwrap().unwrap();
    assert_eq!(interval(&file), 2);
    fs::write(at("v2/rules"), "*:\n interval = 3\n").unwrap();
    settle(&mut file).unwrap().unwrap();
    assert_eq!(interval(&file), 3);
}

#[test]
fn a_file_is_never_read_in_the_middle_of_a_write() {
    use std::io::Write as _;
    let (_folder, path) = folder("*:\n interval = 1\n");
    let mut file = open(&path).unwrap();
    let mut writer = fs::File::create(&path).unwrap();
    writer.write_all(b"*:\n").unwrap();
    assert!(settle(&mut file).is_none());
    let now = Instant::now();
    file.ask(now);
    assert!(file.due().unwrap() > now + SETTLE, "SIGHUP waits for the writer, too, for a while");
    writer.write_all(b" interval = 2\n").unwrap();
    drop(writer);
    settle(&mut file).unwrap().unwrap();
    assert_eq!(interval(&file), 2);
}

#[test]
fn a_file_that_is_written_by_another_name_is_seen() {
    let (folder, path) = folder("*:\n interval = 1\n");
    fs::create_dir(folder.path().join("elsewhere")).unwrap();
    fs::hard_link(&path, folder.path().join("elsewhere/rules")).unwrap();
    let mut file = open(&path).unwrap();
    fs::write(folder.path().join("elsewhere/rules"), "*:\n interval = 2\n").unwrap();
    settle(&mut file).unwrap().unwrap();
    assert_eq!(interval(&file), 2);
}

#[test]
fn a_changed_file_is_left_alone_until_it_has_settled() {
    let (_folder, path) = folder("*:\n interval = 1\n");
    let mut file = open(&path).unwrap();
    fs::write(&path, "*:\n interval = 2\n").unwrap();
    let now = Instant::now();
    file.take_changes(now);
    assert_eq!(file.due(), Some(now + SETTLE));
}

#[test]
fn a_bad_an_empty_and_a_missing_file_change_nothing() {
    let (_folder, path) = folder("*:\n interval = 2\n");
    let mut file = open(&path).unwrap();
    fs::write(&path, "*:\n interval = much\n").unwrap();
    let error = settle(&mut file).unwrap().unwrap_err().to_string();
    assert!(error.contains("hostinfo.conf:2:13: "), "{error}");
    fs::write(&path, "# nothing\n").unwrap();
    assert!(matches!(settle(&mut file), Some(Err(Error::Empty { .. }))));
    fs::remove_file(&path).unwrap();
    assert!(matches!(settle(&mut file), Some(Err(Error::Empty { .. }))));
    assert_eq!(interval(&file), 2);
    fs::write(&path, "*:\n interval = 3\n").unwrap();
    settle(&mut file).unwrap().unwrap();
    assert_eq!(interval(&file), 3);
}

#[test]
fn a_file_that_says_the_same_as_before_is_in_force_since_it_first_did() {
    let (_folder, path) = folder("*:\n interval = 2\n");
    let mut file = open(&path).unwrap();
    let since = file.in_force().since;
    fs::write(&path, "*:\n interval = much\n").unwrap();
    assert!(settle(&mut file).unwrap().is_err() && file.state().problem.is_some());
    fs::write(&path, "*:\n interval = 2\n").unwrap();
    assert!(!settle(&mut file).unwrap().unwrap() && file.state().problem.is_none());
    let mode = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o600);
    fs::set_permissions(&path, mode).unwrap();
    assert!(!settle(&mut file).unwrap().unwrap());
    file.ask(Instant::now());
    assert!(!settle(&mut file).unwrap().unwrap());
    assert_eq!(file.in_force().since, since);
    fs::write(&path, "*:\n interval = 3\n").unwrap();
    assert!(settle(&mut file).unwrap().unwrap() && file.in_force().since > since);
}

#[test]
fn a_file_that_comes_after_the_start_is_seen_even_with_its_directory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("etc/hostinfo.conf");
    let mut file = open(&path).unwrap();
    assert!(file.rules().is_empty());
    fs::create_dir(folder.path().join("etc")).unwrap();
    settle(&mut file);
    fs::write(&path, "*:\n interval = 3\n").unwrap();
    settle(&mut file);
    assert_eq!(interval(&file), 3);
}

#[test]
fn a_file_that_was_a_link_to_nowhere_or_to_itself_is_watched_on() {
    for target in ["hostinfo.conf", "nowhere", "/nonexistent/a/b", "aside/x"] {
        let (folder, path) = folder("*:\n interval = 1\n");
        fs::write(folder.path().join("aside"), "").unwrap();
        let mut file = open(&path).unwrap();
        fs::remove_file(&path).unwrap();
        symlink(target, &path).unwrap();
        assert!(settle(&mut file).unwrap().is_err(), "{target}");
        fs::remove_file(&path).unwrap();
        assert!(settle(&mut file).unwrap().is_err(), "{target}");
        fs::write(folder.path().join("new"), "*:\n interval = 2\n").unwrap();
        fs::rename(folder.path().join("new"), &path).unwrap();
        assert!(settle(&mut file).unwrap().unwrap(), "{target}");
        assert_eq!(interval(&file), 2);
    }
}

#[test]
fn a_directory_above_the_file_that_is_made_anew_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("etc/hostinfo/hostinfo.conf");
    let make = |interval| {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, format!("*:\n interval = {interval}\n")).unwrap();
    };
    make(1);
    let mut file = open(&path).unwrap();
    fs::rename(folder.path().join("etc"), folder.path().join("old")).unwrap();
    assert!(settle(&mut file).unwrap().is_err());
    make(2);
    settle(&mut file).unwrap().unwrap();
    assert_eq!(interval(&file), 2);
}

#[test]
fn a_bad_file_or_a_directory_cannot_be_opened_at_the_start() {
    let (folder, path) = folder("interval = 1\n");
    assert!(matches!(open(&path), Err(Error::Malformed { .. })));
    assert!(matches!(open(folder.path()), Err(Error::Unreadable(_))));
}

#[test]
fn a_file_system_that_is_mounted_over_its_directory_is_found_when_it_is_asked_for() {
    with_own_mounts(|| {
        let (folder, path) = folder("*:\n interval = 1\n");
        let mut file = open(&path).unwrap();
        mount_tmpfs(folder.path(), None);
        fs::write(&path, "*:\n interval = 2\n").unwrap();
        assert!(settle(&mut file).is_none(), "nothing tells of it");
        file.ask(Instant::now());
        assert!(file.reload(Instant::now()).unwrap());
        assert_eq!(interval(&file), 2);
        fs::write(&path, "*:\n interval = 3\n").unwrap();
        assert!(settle(&mut file).unwrap().unwrap(), "it is watched there");
        assert_eq!(interval(&file), 3);
    });
}

#[test]
fn rules_that_are_handed_over_are_in_force_until_the_file_has_others_without_errors() {
    let before = "*:\n interval = 1\n";
    let (_folder, path) = folder(before);
    let text = open(&path).unwrap().hand_over(Instant::now()).unwrap();
    assert_eq!(text.as_deref(), Some(before));
    let taken_over = || {
        let watcher = Watcher::new().unwrap();
        RulesFile::taken_over(text.as_deref(), &path, watcher).unwrap()
    };
    let mut same = taken_over();
    assert!(!same.reload(Instant::now()).unwrap());
    fs::write(&path, "nonsense\n").unwrap();
    let mut broken = taken_over();
    assert!(broken.reload(Instant::now()).is_err() && broken.state().problem.is_some());
    assert_eq!(interval(&broken), 1);
    assert!(broken.hand_over(Instant::now()).is_err());
    fs::write(&path, "*:\n interval = 2\n").unwrap();
    let mut other = taken_over();
    assert_eq!(interval(&other), 1);
    assert!(other.reload(Instant::now()).unwrap());
    assert_eq!(interval(&other), 2);
}
