use super::*;

use std::fs;
use std::thread;
use std::time::Duration;

/// A read that somebody holds: of nothing, and until the sender is dropped.
fn hold(reads: &mut Reads, key: &Key, place: &Place, now: Instant) -> Sender<()> {
    let (hold, held) = channel::<()>();
    let (tell, told) = (reads.tell.clone(), (key.clone(), place.clone()));
    let ended = reads.ended.clone();
    thread::spawn(move || {
        let _ = held.recv();
        tell.send((told.0, told.1, Ok(b"7".to_vec()))).unwrap();
        ended.tell();
    });
    let under_way = UnderWay { place: place.clone(), held_at: Some(now + HELD_AFTER) };
    reads.under_way.insert(key.clone(), under_way);
    hold
}

#[test]
fn a_file_that_is_held_is_said_to_be_and_is_read_in_the_end() {
    let (mut reads, mut patience) = (Reads::new().unwrap(), Patience::default());
    let (now, folder) = (Instant::now(), tempfile::tempdir().unwrap());
    let key = |name: &str| Key { name: name.into(), guest: "".into() };
    let place = Place { path: "/srv/held".to_owned(), account: None };
    let held = hold(&mut reads, &key("held"), &place, now);
    let mut read = |reads: &mut Reads, name: &str, place: &Place| {
        reads.read(key(name), place.clone(), &mut patience, now)
    };
    assert!(read(&mut reads, "held", &place).is_none());
    let path = folder.path().join("other");
    fs::write(&path, "8").unwrap();
    let other = Place { path: path.to_str().unwrap().to_owned(), account: None };
    assert_eq!(read(&mut reads, "other", &other).unwrap().unwrap(), b"8");
    assert!(reads.take(now).is_empty());
    let later = reads.next_deadline().unwrap();
    assert!(
        matches!(&reads.take(later)[..], [(_, _, Err(Failure::Held(path)))] if path == "/srv/held")
    );
    assert_eq!(reads.next_deadline(), None);
    assert!(matches!(read(&mut reads, "held", &place), Some(Err(Failure::Held(_)))));
    drop(held);
    let begun = Instant::now();
    let taken = loop {
        let mut taken = reads.take(later);
        if let Some((_, _, bytes)) = taken.pop() {
            break bytes;
        }
        assert!(begun.elapsed() < Duration::from_secs(60));
        thread::sleep(Duration::from_millis(1));
    };
    assert_eq!(taken.unwrap(), b"7");
    assert!(reads.under_way.is_empty());
}
