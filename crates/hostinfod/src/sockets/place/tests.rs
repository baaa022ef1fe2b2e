use super::*;

use std::fs;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::os::unix::fs::{chown, lchown, symlink};
use std::sync::Arc;

use hostinfo_open::Sockets;
use hostinfo_wire::limits::LOG_BURST;

const OTHER: u32 = 4321;

fn place(directory: &Path) -> Place<()> {
    let path = directory.display();
    let text = format!("[[sockets]]\npath = '{path}/{{name}}/s'\ndriver = 'ch'\nguests = ['*']\n");
    let entry = Sockets::parse(&text).unwrap().entries()[0].clone();
    Place::new(entry, &Signal::new().unwrap()).unwrap()
}

fn look_at_all(place: &mut Place<()>) {
    place.look_at_all(Instant::now());
    while place.is_being_looked_at() {
        std::thread::sleep(std::time::Duration::from_millis(1));
        place.take_late(usize::MAX, Instant::now());
    }
}

#[test]
fn nothing_is_watched_beyond_a_link_that_is_refused_and_that_it_goes_is_noticed() {
    assert!(rustix::process::geteuid().is_root(), "needs root");
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir_all(at("others/far").join("d/".repeat(100))).unwrap();
    chown(at("others"), Some(OTHER), None).unwrap();
    let vm = at("others/vm");
    symlink(format!("far/{}gone", "d/".repeat(100)), &vm).unwrap();
    lchown(&vm, Some(OTHER), None).unwrap();
    let mut place = place(&vm);
    look_at_all(&mut place);
    let problem = place.problem.clone().unwrap();
    assert!(problem.contains("is a symbolic link that others"), "{problem}");
    let fd = place.watcher().as_fd().as_raw_fd();
    let watches = fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).unwrap();
    let watches = watches.lines().filter(|line| line.starts_with("inotify wd:")).count();
    // From the root directory to the one with the link.
    assert_eq!(watches, vm.parent().unwrap().ancestors().count());

    fs::remove_file(&vm).unwrap();
    fs::create_dir(&vm).unwrap();
    assert!(place.changes(Instant::now()).contains(&PlaceChange::Everything));
    look_at_all(&mut place);
    assert_eq!(place.problem, None);
}

#[test]
fn a_directory_that_its_owner_closes_and_opens_without_end_does_not_fill_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("vm");
    fs::create_dir(&directory).unwrap();
    let mut place = place(&directory);
    let log = folder.path().join("log");
    let subscriber =
        tracing_subscriber::fmt().with_writer(Arc::new(fs::File::create(&log).unwrap())).finish();
    let now = Instant::now();
    tracing::subscriber::with_default(subscriber, || {
        for is_closed in [true, false].repeat(LOG_BURST as usize) {
            let denied = || io::Error::from(io::ErrorKind::PermissionDenied);
            let watch = match is_closed {
                true => Err(denied()),
                false => place.below.watch_base(&base(&directory).unwrap()),
            };
            let names = if is_closed { Err(denied()) } else { Ok(BTreeSet::new()) };
            let watched_path = WatchedPath::new(&directory);
            place.take_listed(Listed { watched_path, watch, names }, now);
        }
    });
    let log = fs::read_to_string(log).unwrap();
    let lines = log.lines().filter(|line| line.contains("guests are served at")).count();
    assert_eq!(lines, LOG_BURST as usize, "{log}");
}
