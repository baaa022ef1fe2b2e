use super::work::HELD_AFTER;
use super::*;
use std::sync::mpsc::{Receiver, Sender, channel};

use hostinfo_render::disk::SIZE;

/// Longer than any thread takes that is not kept waiting.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a disk that is not busy shows.
pub(crate) fn content(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap();
    assert_eq!((bytes.len(), &bytes[..8]), (SIZE, &b"mvbd\0\0\0\0"[..]), "not busy");
    String::from_utf8(bytes[16..].split(|byte| *byte == 0).next().unwrap().to_vec()).unwrap()
}

fn name(guest: &str) -> Name {
    Name::parse(guest).unwrap()
}

/// Disks, of which that of `qemu-held` is not written before the sender is dropped; and each disk that was written, with
/// the document.
fn held(below: &Path) -> (Disks, Sender<()>, Receiver<(String, String)>) {
    let (release, is_released) = channel();
    let (tell, written) = channel();
    let is_released = Mutex::new(is_released);
    let write = move |before: Option<Open>, path: &Path, document: &str| {
        if path.ends_with("qemu-held") {
            let _ = is_released.lock().unwrap().recv();
        }
        let written = file::write(before, path, document);
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let _ = tell.send((name, document.to_owned()));
        written
    };
    (Disks::written_by(below, Box::new(write)).unwrap(), release, written)
}

fn wait_until(is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE);
        thread::sleep(Duration::from_millis(1));
    }
}

fn is_being_written(disks: &Disks, name: &Name) -> bool {
    disks.shared.lock().slots.get(name.whole()).is_some_and(|slot| slot.writing.is_some())
}

#[test]
fn a_disk_that_somebody_keeps_from_being_written_keeps_neither_the_caller_nor_other_disks_waiting()
{
    let folder = tempfile::tempdir().unwrap();
    let (disks, release, written) = held(folder.path());
    let held = name("qemu-held");
    for document in ["<1>", "<2>", "<3>"] {
        disks.write(&held, document.to_owned());
        disks.go_on();
        wait_until(|| is_being_written(&disks, &held));
        disks.write(&name("qemu-b"), document.to_owned());
        disks.go_on();
        assert_eq!(written.recv_timeout(PATIENCE).unwrap(), ("qemu-b".into(), document.into()));
    }
    let why = disks.finish().unwrap_err();
    assert!(why.contains("disk/qemu-held cannot be written while a process reads it"), "{why}");
    drop(release);
    let next = || written.recv_timeout(PATIENCE).unwrap().1;
    assert_eq!([next(), next()], ["<1>", "<3>"], "the last document is written then");
    wait_until(|| disks.finish().is_ok());
    assert_eq!(content(&folder.path().join("disk/qemu-held")), "<3>");
    assert_eq!(disks.shared.lock().threads, 0, "no thread stays");
}

#[test]
fn what_a_held_disk_is_not_to_show_any_more_is_removed_once_it_can_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let (disks, release, _written) = held(folder.path());
    let held = name("qemu-held");
    disks.write(&held, "<secret>".to_owned());
    disks.go_on();
    wait_until(|| is_being_written(&disks, &held));
    disks.clear(&held);
    drop(release);
    wait_until(|| disks.finish().is_ok());
    assert_eq!(content(&folder.path().join("disk/qemu-held")).trim_end(), EMPTY.trim_end());
    assert!(disks.shared.lock().slots.is_empty(), "its file is closed");
}

#[test]
fn a_disk_that_is_to_be_cleared_is_cleared_before_other_disks_are_written() {
    let (mut work, a, b) = (Work::default(), name("qemu-a"), name("qemu-b"));
    work.threads = 1;
    work.ask(&a, Task::Write("<a>".to_owned()));
    work.take().unwrap();
    work.ask(&b, Task::Write("<b>".to_owned()));
    work.ask(&a, Task::Clear);
    work.put_back("qemu-a".into(), None);
    let mut next = || work.take().map(|(name, _, task)| (name, matches!(task, Task::Clear)));
    assert_eq!(next(), Some(("qemu-a".into(), true)));
    assert_eq!(next(), Some(("qemu-b".into(), false)));
}

#[test]
fn a_disk_that_is_held_is_reported_once_and_again_if_it_is_to_show_nothing_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let (disks, release, _written) = held(folder.path());
    let held = name("qemu-held");
    assert!(disks.go_on().is_none(), "there is nothing to look at");
    disks.write(&held, "<secret>".to_owned());
    assert!(disks.go_on() <= Some(Instant::now() + HELD_AFTER));
    assert!(disks.go_on().is_some());
    wait_until(|| is_being_written(&disks, &held));
    let look = |after| {
        let held = disks.take_held(Instant::now() + after);
        held.into_iter().map(|held| (held.guest, held.shows_too_much)).collect::<Vec<_>>()
    };
    assert_eq!(look(Duration::ZERO), []);
    assert_eq!(look(HELD_AFTER), [("qemu-held".into(), false)]);
    disks.write(&held, "<other>".to_owned());
    assert_eq!(look(HELD_AFTER), []);
    for _ in 0..2 {
        disks.clear(&held);
    }
    assert!(disks.go_on().is_some(), "it is looked at while it is held");
    assert_eq!(look(HELD_AFTER), [("qemu-held".into(), true)]);
    disks.clear(&held);
    assert_eq!(look(HELD_AFTER), []);
    drop(release);
    wait_until(|| disks.finish().is_ok());
    assert!(disks.go_on().is_none());
}

#[test]
fn a_disk_of_a_previous_daemon_that_cannot_be_cleared_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let (disks, release, _written) = held(folder.path());
    std::fs::create_dir(folder.path().join("disk")).unwrap();
    std::fs::write(folder.path().join("disk/qemu-held"), b"secret").unwrap();
    disks.clear_all_but(|_| false);
    disks.go_on();
    wait_until(|| is_being_written(&disks, &name("qemu-held")));
    let reported = disks.take_held(Instant::now() + HELD_AFTER);
    assert!(matches!(&*reported, [Held { shows_too_much: true, .. }]));
    drop(release);
    wait_until(|| disks.finish().is_ok());
}

#[test]
fn no_more_than_a_few_disks_are_written_at_once_and_none_before_they_may_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let (begin, is_begun) = channel::<()>();
    let is_begun = Mutex::new(is_begun);
    let write = move |before: Option<Open>, path: &Path, document: &str| {
        let _ = is_begun.lock().unwrap().recv();
        file::write(before, path, document)
    };
    let disks = Disks::written_by(folder.path(), Box::new(write)).unwrap();
    for number in 0..3 * THREADS_MAX {
        disks.make(&name(&format!("qemu-{number}")));
    }
    assert_eq!(disks.shared.lock().threads, 0);
    disks.go_on();
    disks.go_on();
    assert_eq!(disks.shared.lock().threads, THREADS_MAX);
    drop(begin);
    wait_until(|| disks.finish().is_ok());
    assert_eq!(std::fs::read_dir(folder.path().join("disk")).unwrap().count(), 3 * THREADS_MAX);
}

#[test]
fn a_disk_that_a_previous_daemon_left_shows_nothing_unless_its_guest_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let [path, goes_on] = ["disk/qemu-a", "disk/qemu-b"].map(|path| folder.path().join(path));
    std::fs::create_dir(path.parent().unwrap()).unwrap();
    for path in [&path, &goes_on] {
        std::fs::write(path, b"mvbd\0\0\0\x01secret").unwrap();
    }
    let disks = Disks::beside(folder.path()).unwrap();
    disks.clear_all_but(|name| name == "qemu-b");
    wait_until(|| disks.finish().is_ok());
    assert_eq!(content(&path).trim_end(), EMPTY.trim_end());
    assert_eq!(std::fs::read(goes_on).unwrap(), b"mvbd\0\0\0\x01secret");
}

#[test]
fn a_disk_that_could_not_be_written_is_reported_once() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("disk/qemu-a")).unwrap();
    let disks = Disks::beside(folder.path()).unwrap();
    disks.write(&name("qemu-a"), "<a>".to_owned());
    wait_until(|| disks.finish().is_ok());
    let failures = disks.take_failures();
    let [Failure { guest, error, shows_too_much: false }] = &*failures else { panic!() };
    assert_eq!(&**guest, "qemu-a");
    assert!(error.to_string().ends_with("is not a regular file: remove it"), "{error}");
    assert!(disks.take_failures().is_empty());
}
