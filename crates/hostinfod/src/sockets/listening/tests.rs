use super::*;
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

use hostinfo_file::aside::Patience;

fn open_with(folder: &Path, earlier: &EarlierSockets) -> Result<Listening, Error> {
    let folder = File::open(folder).unwrap().into();
    let (unclosed, owner) = (Unclosed::default(), Patience::default().owner());
    Listening::open(folder, OsStr::new("v_4678"), earlier, &unclosed, owner)
}

fn open(folder: &Path) -> Result<Listening, Error> {
    open_with(folder, &EarlierSockets::default())
}

/// Drops it, and waits until its file is removed, if it is to be.
fn close(listening: Listening) {
    drop(listening);
    assert!(aside::finish(Duration::from_secs(60)));
}

#[test]
fn everybody_may_connect_to_the_socket_and_it_is_gone_with_its_value() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v_4678");
    let listening = open(folder.path()).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o666);
    let _client = UnixStream::connect(&path).unwrap();
    rustix::net::accept(&listening).unwrap();
    assert!(listening.made.is_in_place());
    close(listening);
    assert!(!path.exists());
}

#[test]
fn a_socket_of_the_daemons_user_that_is_put_in_the_place_of_the_one_just_bound_keeps_its_mode() {
    let folder = tempfile::tempdir().unwrap();
    let directory: OwnedFd = File::open(folder.path()).unwrap().into();
    let (name, path) = (OsStr::new("v_4678"), folder.path().join("v_4678"));
    let bound = socket().unwrap();
    bound_socket::mark(&bound).unwrap();
    rustix::net::bind(&bound, &address(&directory, name).unwrap()).unwrap();
    let others = folder.path().join("api.sock");
    let _api = UnixListener::bind(&others).unwrap();
    fs::set_permissions(&others, fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(&path, folder.path().join("bound")).unwrap();
    fs::rename(&others, &path).unwrap();
    assert!(matches!(permit_all(&directory, name), Err(Error::Live)));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    fs::rename(folder.path().join("bound"), &path).unwrap();
    permit_all(&directory, name).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o666);
}

#[test]
fn whoever_waits_at_a_socket_that_is_given_up_is_hung_up_on_although_somebody_has_a_copy_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let listening = open(folder.path()).unwrap();
    let copy = listening.as_fd().try_clone_to_owned().unwrap();
    let mut waits = UnixStream::connect(folder.path().join("v_4678")).unwrap();
    close(listening);
    waits.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    assert_eq!(waits.read(&mut [0]).unwrap(), 0);
    assert!(rustix::net::accept(&copy).is_err(), "nobody waits any more");
}

#[test]
fn a_socket_that_nobody_listens_at_is_replaced_and_all_else_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v_4678");
    drop(UnixListener::bind(&path).unwrap());
    close(open(folder.path()).unwrap());
    let live = UnixListener::bind(&path).unwrap();
    assert!(matches!(open(folder.path()), Err(Error::Live)));
    fs::remove_file(&path).unwrap();
    drop(live);
    fs::write(&path, "x").unwrap();
    assert!(matches!(open(folder.path()), Err(Error::NoSocket)));
    fs::remove_file(&path).unwrap();
    fs::write(folder.path().join("target"), "x").unwrap();
    symlink("target", &path).unwrap();
    assert!(matches!(open(folder.path()), Err(Error::NoSocket)));
    assert_eq!(fs::read_to_string(&path).unwrap(), "x");
}

#[test]
fn a_socket_that_another_program_put_in_its_place_is_not_removed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v_4678");
    let listening = open(folder.path()).unwrap();
    fs::remove_file(&path).unwrap();
    let _other = UnixListener::bind(&path).unwrap();
    assert!(!listening.made.is_in_place());
    close(listening);
    assert!(path.exists());
}

#[test]
fn a_socket_that_an_earlier_run_made_goes_on_listening() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v_4678");
    let before = open(folder.path()).unwrap();
    let mut handed_over = vec![
        ("listen-1.2.3.4.5".to_owned(), File::open("/dev/null").unwrap().into()),
        (name_of(before.made.file), before.socket.as_fd().try_clone_to_owned().unwrap()),
        ("other".to_owned(), File::open("/dev/null").unwrap().into()),
    ];
    // A crash: nobody tidies up.
    std::mem::forget(before);
    let _waits = UnixStream::connect(&path).unwrap();
    let earlier = EarlierSockets::of(&mut handed_over);
    assert_eq!((earlier.lock().len(), handed_over.len()), (2, 1));
    let after = open_with(folder.path(), &earlier).unwrap();
    rustix::net::accept(&after).unwrap();
    earlier.give_up();
    assert!(earlier.lock().is_empty());
}

#[test]
fn only_those_earlier_sockets_that_listen_are_taken() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v_4678");
    drop(UnixListener::bind(&path).unwrap());
    let (_, file) = find(File::open(folder.path()).unwrap(), OsStr::new("v_4678")).unwrap();
    let earlier = EarlierSockets::of(&mut vec![(name_of(file), socket().unwrap())]);
    let listening = open_with(folder.path(), &earlier).unwrap();
    UnixStream::connect(&path).unwrap();
    rustix::net::accept(&listening).unwrap();
}
