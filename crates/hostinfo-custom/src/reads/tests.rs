use super::*;

use std::fs;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

/// A read that somebody holds until the sender is dropped.
fn hold(reads: &mut Reads, key: &Key, place: &Place, now: Instant) -> Sender<()> {
    let (hold, held) = channel::<()>();
    let read = move || {
        let _ = held.recv();
        Ok(b"7".to_vec())
    };
    let of = (key.clone(), place.clone());
    assert!(reads.looks.look(&of, &mut Patience::default(), read, now).is_none());
    hold
}

/// What comes at last.
fn take(reads: &mut Reads, later: Instant) -> ((Key, Place), Bytes) {
    let begun = Instant::now();
    loop {
        if let Some(taken) = reads.take(later).pop() {
            return taken;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "nothing comes");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn key(name: &str) -> Key {
    Key { name: name.into(), guest: "".into() }
}

#[test]
fn a_file_that_is_held_is_said_to_be_and_is_read_in_the_end_and_others_are_read_meanwhile() {
    let (mut reads, mut patience) = (Reads::new().unwrap(), Patience::default());
    let (now, folder) = (Instant::now(), tempfile::tempdir().unwrap());
    let place = Place { path: "/srv/held".to_owned(), account: None };
    let held = hold(&mut reads, &key("a"), &place, now);
    let mut read = |reads: &mut Reads, name: &str, place: &Place| {
        reads.read(key(name), place.clone(), &mut patience, now)
    };
    assert!(read(&mut reads, "a", &place).is_none());
    let path = folder.path().join("other");
    fs::write(&path, "8").unwrap();
    let other = Place { path: path.to_str().unwrap().to_owned(), account: None };
    // Another statistic, and the same one after its file was changed in the definition.
    for name in ["b", "a"] {
        assert_eq!(read(&mut reads, name, &other).unwrap().unwrap(), b"8");
    }
    assert!(reads.take(now).is_empty());
    let later = now + Duration::from_secs(60);
    let (of, bytes) = take(&mut reads, later);
    assert!(of == (key("a"), place.clone()), "{of:?}");
    assert!(matches!(bytes, Err(Failure::Held(path)) if path == "/srv/held"));
    assert_eq!(reads.next_deadline(), None);
    assert!(matches!(read(&mut reads, "a", &place), Some(Err(Failure::Held(_)))));
    drop(held);
    let (of, bytes) = take(&mut reads, later);
    assert_eq!((of, bytes.unwrap()), ((key("a"), place), b"7".to_vec()));
    assert!(!reads.looks.are_under_way());
}
