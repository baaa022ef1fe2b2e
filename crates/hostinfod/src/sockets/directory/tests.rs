use super::*;
use crate::system::mounts::{mount_tmpfs, with_own_mounts};
use std::fs;
use std::time::Duration;

fn made(path: &Path) -> SocketDir {
    fs::create_dir(path).unwrap();
    SocketDir::open(path, None).unwrap()
}

fn changes(directory: &mut SocketDir) -> Vec<DirChange> {
    directory.changes(Instant::now())
}

#[test]
fn a_file_whose_mode_changes_all_the_time_is_looked_at_a_few_times_a_second_and_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sockets");
    let mut directory = made(&path);
    fs::write(path.join("a"), "").unwrap();
    let (now, mut looked_at) = (Instant::now(), 0);
    for _ in 0..100 {
        let mode = fs::metadata(path.join("a")).unwrap().permissions();
        fs::set_permissions(path.join("a"), mode).unwrap();
        let changed = |change: &DirChange| *change == DirChange::Changed("a".into());
        looked_at += directory.changes(now).iter().filter(|change| changed(change)).count();
    }
    assert!((1..10).contains(&looked_at), "{looked_at} times");
    let later = directory.next_check().unwrap();
    assert!(later <= now + Duration::from_secs(1));
    assert_eq!(directory.changes(later), [DirChange::Changed("a".into())]);
    // Others do not wait for that.
    fs::write(path.join("b"), "").unwrap();
    assert_eq!(directory.changes(now), [DirChange::New("b".into())]);
}

#[test]
fn files_that_come_change_and_go_are_reported() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sockets");
    let mut directory = made(&path);
    fs::write(path.join("a"), "").unwrap();
    fs::rename(path.join("a"), path.join("b")).unwrap();
    fs::remove_file(path.join("b")).unwrap();
    let [a, b] = ["a", "b"].map(OsString::from);
    assert_eq!(
        changes(&mut directory),
        [
            DirChange::New(a.clone()),
            DirChange::Renamed(a),
            DirChange::New(b.clone()),
            DirChange::Removed(b)
        ]
    );
}

#[test]
fn a_directory_that_was_made_anew_is_entered_at_once_or_later() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sockets");
    let mut directory = made(&path);
    for pause in [false, true] {
        fs::remove_dir(&path).unwrap();
        if pause {
            assert_eq!(changes(&mut directory), []);
            assert!(directory.directory().is_none());
        }
        fs::create_dir(&path).unwrap();
        assert!(changes(&mut directory).contains(&DirChange::Everything));
        fs::write(path.join("a"), "").unwrap();
        assert_eq!(changes(&mut directory), [DirChange::New("a".into())]);
        fs::remove_file(path.join("a")).unwrap();
        assert_eq!(changes(&mut directory), [DirChange::Removed("a".into())]);
    }
    fs::rename(&path, folder.path().join("old")).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(changes(&mut directory).contains(&DirChange::Everything));
    assert!(directory.directory().is_some());
}

#[test]
fn a_directory_is_found_again_whatever_above_it_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let above = folder.path().join("srv/run");
    let path = above.join("sockets");
    fs::create_dir_all(&above).unwrap();
    let mut directory = made(&path);
    for _ in 0..2 {
        fs::rename(folder.path().join("srv"), folder.path().join("old")).unwrap();
        assert_eq!(changes(&mut directory), []);
        assert!(directory.problem().is_some());
        // Each one is created some time after the previous one.
        for made in [folder.path().join("srv"), above.clone(), path.clone()] {
            fs::create_dir(made).unwrap();
            let changes = changes(&mut directory);
            assert_eq!(changes.contains(&DirChange::Everything), path.exists(), "{changes:?}");
        }
        assert!(directory.problem().is_none());
        fs::remove_dir_all(folder.path().join("old")).unwrap();
    }
}

#[test]
fn a_file_system_mounted_over_the_directory_is_found_when_it_is_looked_for() {
    with_own_mounts(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sockets");
        let mut directory = made(&path);
        assert_eq!(directory.look_for_another(), None);
        mount_tmpfs(&path, None);
        assert_eq!(changes(&mut directory), []);
        assert_eq!(directory.look_for_another(), Some(DirChange::Everything));
        fs::write(path.join("a"), "").unwrap();
        assert_eq!(changes(&mut directory), [DirChange::New("a".into())]);
        nix::mount::umount(&path).unwrap_err();
        nix::mount::umount2(&path, nix::mount::MntFlags::MNT_DETACH).unwrap();
        assert_eq!(directory.look_for_another(), Some(DirChange::Everything));
        fs::write(path.join("b"), "").unwrap();
        assert_eq!(changes(&mut directory), [DirChange::New("b".into())]);
    });
}

#[test]
fn a_missing_directory_is_an_error_and_can_be_awaited() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sockets");
    assert!(matches!(SocketDir::open(&path, None), Err(lock::Error::Missing(_))));
    let mut directory = SocketDir::awaiting(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert_eq!(changes(&mut directory), [DirChange::Everything]);
}
