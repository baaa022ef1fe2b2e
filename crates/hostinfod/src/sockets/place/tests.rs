use super::*;

use std::fs;
use std::sync::Arc;

use hostinfo_open::Sockets;
use hostinfo_wire::limits::LOG_BURST;

#[test]
fn a_directory_that_its_owner_closes_and_opens_without_end_does_not_fill_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("vm");
    fs::create_dir(&directory).unwrap();
    let path = directory.display();
    let text = format!("[[sockets]]\npath = '{path}/{{name}}/s'\ndriver = 'ch'\nguests = ['*']\n");
    let entry = Sockets::parse(&text).unwrap().entries()[0].clone();
    let mut place: Place<()> = Place::new(entry, &Signal::new().unwrap()).unwrap();
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
