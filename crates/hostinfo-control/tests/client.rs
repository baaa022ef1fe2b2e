//! A client, with sockets that answer, refuse, fall silent or do not exist.

#![allow(clippy::unwrap_used)]

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::time::Duration;

use hostinfo_control::{Client, Error, Refusal};
use tempfile::TempDir;

/// A socket whose first client is served so.
fn serves(serve: impl FnOnce(UnixStream) + Send + 'static) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control.sock");
    let listener = UnixListener::bind(&path).unwrap();
    std::thread::spawn(move || serve(listener.accept().unwrap().0));
    (folder, path)
}

/// A socket that answers the first request with those bytes, and closes the connection when the
/// client does.
fn answers(bytes: &'static [u8]) -> (TempDir, PathBuf) {
    serves(move |mut stream| {
        let mut request = [0; 4096];
        let _ = stream.read(&mut request).unwrap();
        stream.write_all(bytes).unwrap();
        if bytes.ends_with(&[0]) || bytes.is_empty() {
            let _ = stream.read(&mut request);
        }
    })
}

/// Only a daemon that hangs takes this long.
const PATIENCE: Duration = Duration::from_secs(180);

fn ask(bytes: &'static [u8], deadline: Duration) -> Result<String, Error> {
    let (_folder, path) = answers(bytes);
    Client::connect(&path, deadline).unwrap().metrics()
}

#[test]
fn an_answer_is_taken_whole() {
    assert_eq!(ask(b"{\"parameters\":{\"text\":\"# EOF\\n\"}}\0", PATIENCE).unwrap(), "# EOF\n");
}

#[test]
fn a_refusal_is_one_with_its_words() {
    let reply =
        b"{\"error\":\"org.hostinfo.Control.Busy\",\"parameters\":{\"message\":\"later\"}}\0";
    let Error::Refused(refusal) = ask(reply, PATIENCE).unwrap_err() else { panic!() };
    assert_eq!(refusal, Refusal::Busy { message: "later".to_owned() });
}

#[test]
fn a_silent_daemon_is_not_waited_for_for_ever() {
    assert!(matches!(ask(b"", Duration::from_millis(300)).unwrap_err(), Error::Silent { .. }));
}

#[test]
fn a_daemon_that_hangs_up_or_sends_nonsense_is_an_error() {
    assert!(matches!(ask(b"{\"parameters\":{\"te", PATIENCE).unwrap_err(), Error::Closed(_)));
    for nonsense in [&b"hello\0"[..], b"{\"parameters\":{}}\0", b"{\"error\":\"x.y\"}\0"] {
        assert!(matches!(ask(nonsense, PATIENCE).unwrap_err(), Error::Nonsense(_)));
    }
}

#[test]
fn a_list_without_an_end_is_given_up() {
    let page = include_str!("../../../fuzz/seeds/answer/list");
    let page: serde_json::Value = serde_json::from_str(page).unwrap();
    let reply =
        serde_json::json!({ "parameters": { "guests": page["guests"], "complete": false } });
    let (_folder, path) = serves(move |mut stream| {
        let mut request = [0; 4096];
        while stream.read(&mut request).is_ok_and(|length| length > 0) {
            stream.write_all(format!("{reply}\0").as_bytes()).unwrap();
        }
    });
    let listed = Client::connect(&path, PATIENCE).unwrap().list();
    assert!(matches!(listed.unwrap_err(), Error::Nonsense(_)));
}

#[test]
fn a_watch_goes_on_until_it_is_over() {
    let (_folder, path) = answers(
        b"{\"continues\":true,\"parameters\":{\"at\":\"2026-11-22T09:55:49Z\",\"guest\":\"qemu-a\",\
          \"asked\":\"ping\",\"code\":200,\"reply\":\"200 pong\\n\",\"bytes\":9,\"seconds\":0.1,\"left_out\":0}}\0\
          {\"error\":\"org.hostinfo.Control.Busy\",\"parameters\":{\"message\":\"too slow\"}}\0",
    );
    let client = Client::connect(&path, PATIENCE).unwrap();
    let mut watch = client.watch(None).unwrap();
    assert_eq!(watch.next().unwrap().unwrap().asked, "ping");
    assert!(matches!(watch.next().unwrap().unwrap_err(), Error::Refused(_)));
    assert!(watch.next().is_none());
}

#[test]
fn a_socket_that_is_not_there_or_dead_is_named_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control.sock");
    let error = || Client::connect(&path, PATIENCE).err().unwrap().to_string();
    assert!(
        error().contains("control.sock: hostinfod does not answer there: start it"),
        "{}",
        error()
    );
    drop(UnixListener::bind(&path).unwrap());
    assert!(error().contains("hostinfod does not answer there"), "{}", error());
}
