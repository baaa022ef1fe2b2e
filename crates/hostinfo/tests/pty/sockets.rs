//! The tool over a Unix socket, such as the broker's.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Stdio;

use hostinfo_wire::{Frame, Framer};

use crate::{said, tool};

/// A host on a Unix socket, which serves one client after the other. If it sends `cut` bytes to the first one, it
/// hangs up on it.
fn listen(path: &Path, mut cut: Option<usize>) {
    let listener = UnixListener::bind(path).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            serve(stream.unwrap(), cut.take().unwrap_or(usize::MAX));
        }
    });
}

/// Answers, until so many bytes have been sent.
fn serve(mut stream: UnixStream, mut left: usize) {
    let mut framer = Framer::new();
    let mut chunk = [0; 4096];
    while let Ok(length @ 1..) = stream.read(&mut chunk) {
        let mut input = &chunk[..length];
        while let Some(Frame::Line(line)) = framer.next(&mut input) {
            let answer = match std::str::from_utf8(line).unwrap().strip_prefix("ping") {
                Some(token) => format!("200 pong{token}\n"),
                None => ANSWER.to_owned(),
            };
            stream.write_all(&answer.as_bytes()[..left.min(answer.len())]).unwrap();
            left = left.saturating_sub(answer.len());
            if left == 0 {
                return;
            }
        }
    }
}

/// A broker is asked for the age as well.
const ANSWER: &str = "200-physcpus=7\n200 sample.age=0.1\n";

/// The length of the answer to a token.
const PONG: usize = "200 pong 0123456789abcdef0123456789abcdef\n".len();

#[test]
fn a_unix_socket_is_a_way_to_a_host_with_or_without_its_prefix() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    listen(&path, None);
    let path = path.display();
    for device in [format!("unix:{path}"), path.to_string()] {
        let output = tool("get physcpus --device").arg(&device).output().unwrap();
        assert_eq!(said(output), (0, "physcpus=7\n".to_owned(), String::new()), "{device}");
    }
    let output = tool("get physcpus").env("HOSTINFO_DEVICE", format!("unix:{path}")).output();
    assert_eq!(said(output.unwrap()).0, 0);
}

#[test]
fn wherever_a_host_hangs_up_it_is_asked_again() {
    let ask = |cut| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        listen(&path, Some(cut));
        let output = tool("get physcpus --timeout 60 --device").arg(&path).output().unwrap();
        assert_eq!(said(output), (0, "physcpus=7\n".to_owned(), String::new()), "{cut} bytes");
    };
    // In the answer to the first token, behind it, and anywhere up to that to the last one.
    let cuts = [1, PONG - 1].into_iter().chain(PONG..3 * PONG + ANSWER.len());
    let cuts: Vec<usize> = cuts.collect();
    std::thread::scope(|scope| {
        for cuts in cuts.chunks(8) {
            scope.spawn(|| cuts.iter().for_each(|cut| ask(*cut)));
        }
    });
}

#[test]
fn a_host_that_hung_up_and_is_not_back_in_time_is_told_from_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let listener = UnixListener::bind(&path).unwrap();
    let served = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        drop(listener);
        serve(stream, PONG + 1);
    });
    let (status, text, errors) =
        said(tool("get physcpus --timeout 60 --device").arg(&path).output().unwrap());
    served.join().unwrap();
    assert_eq!((status, text.as_str()), (1, ""));
    assert!(
        errors.ends_with(": the host hung up before its reply was complete: ask again\n"),
        "{errors}"
    );
}

#[test]
fn the_remedy_is_told_once_and_not_with_each_turn() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    drop(UnixListener::bind(&path).unwrap());
    let mut command = tool("get physcpus --every 1s --device");
    let mut asking = command.arg(&path).stderr(Stdio::piped()).spawn().unwrap();
    let told = BufReader::new(asking.stderr.take().unwrap()).lines().take(4);
    let told: Vec<String> = told.map(Result::unwrap).collect();
    asking.kill().unwrap();
    asking.wait().unwrap();
    let is_remedy = |line: &&String| line.starts_with("Start the broker (hostinfo serve --socket ");
    assert_eq!(told.iter().filter(is_remedy).count(), 1, "{told:?}");
    assert!(told[3].ends_with(": nobody listens there"), "{told:?}");
}

#[test]
fn a_socket_that_nobody_listens_at_is_status_5_and_a_malformed_address_2() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    drop(UnixListener::bind(&path).unwrap());
    let (status, _, errors) = said(tool("ping --device").arg(&path).output().unwrap());
    assert_eq!(status, 5);
    assert!(errors.contains(&format!("unix:{}: nobody listens there", path.display())), "{errors}");
    let (status, _, errors) = said(tool("ping --device vsock:2").output().unwrap());
    assert_eq!(
        (status, errors.as_str()),
        (2, "hostinfo: vsock:2: write vsock:CID:PORT, such as vsock:2:4678\n")
    );
}
