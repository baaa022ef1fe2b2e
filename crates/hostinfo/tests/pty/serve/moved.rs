//! A broker whose host hangs up, or is another one.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use super::LIST;
use crate::broker::Broker;
use crate::host::answer_all;

/// A host that goes away when it is asked for everything a second time on one connection, as when
/// its guest moves: the number of the connection is its session.
fn host_that_goes_away(path: &Path) {
    let listener = UnixListener::bind(path).unwrap();
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let mut asked = 0;
            answer_all(stream.unwrap(), |line| match line {
                "get * verdict" if asked == 1 => None,
                "get * verdict" => {
                    asked += 1;
                    Some(format!("200-session={number}\n200-interval=0\n503 verdict: x\n"))
                }
                "list" => Some("200 session info - changes\n".to_owned()),
                _ => Some(String::new()),
            });
        }
    });
}

#[test]
fn a_guest_that_has_moved_gets_its_new_hosts_answers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("host");
    host_that_goes_away(&path);
    let broker = Broker::start(&path);
    assert_eq!(broker.ask("session"), "200 session=0\n");
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(broker.ask("session"), "200 session=1\n");
}

/// A host that gives these values over one connection, and lets nobody else connect. It hangs up when that is shut down.
fn host_of_one_connection(path: &Path, values: &'static str) -> Receiver<UnixStream> {
    let listener = UnixListener::bind(path).unwrap();
    let (path, (accepted, connection)) = (path.to_owned(), channel());
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        fs::remove_file(path).unwrap();
        accepted.send(stream.try_clone().unwrap()).unwrap();
        answer_all(stream, |line| match line {
            "get * verdict" => Some(values.to_owned()),
            "list" => Some(LIST.to_owned()),
            _ => Some(String::new()),
        });
    });
    connection
}

/// The broker's answer to that line after the first host has hung up, and the second one has taken its place.
fn of_the_next_host(first: &'static str, next: Option<&'static str>, line: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("host");
    let connection = host_of_one_connection(&path, first);
    let broker = Broker::start(&path);
    let of_first = broker.ask(line);
    assert!(of_first.contains("=9") || of_first.contains("too soon"), "{of_first}");
    let _next = next.map(|values| host_of_one_connection(&path, values));
    connection.recv().unwrap().shutdown(Shutdown::Both).unwrap();
    std::thread::sleep(Duration::from_millis(1500));
    broker.ask(line)
}

const FOR_A_DAY: &str =
    "200-interval=4000000000\n200-sample.age=0.1\n200-loadavg.1=9\n503 verdict: x\n";
const NOT_FOR_A_DAY: &str = "429 retry after 86000.000 s\n";

#[test]
fn what_somebody_said_over_a_connection_that_has_ended_is_replaced_by_what_the_host_says() {
    let host = "200-interval=60\n200-loadavg.1=0.42\n503 verdict: x\n";
    for first in [FOR_A_DAY, NOT_FOR_A_DAY] {
        assert_eq!(of_the_next_host(first, Some(host), "loadavg.1"), "200 loadavg.1=0.42\n");
    }
    let told = of_the_next_host(FOR_A_DAY, Some("429 retry after 50.000 s\n"), "loadavg.1");
    let why = "too soon to ask the host: first answer in 50 s";
    assert_eq!(told, format!("503 loadavg.1: {why}\n"));
}

#[test]
fn while_no_host_is_there_the_last_answer_is_shown_with_its_age() {
    assert_eq!(of_the_next_host(FOR_A_DAY, None, "loadavg.1"), "200 loadavg.1=9\n");
    let told = of_the_next_host(FOR_A_DAY, None, "loadavg.1 sample.age");
    let age = told.trim().rsplit_once('=').unwrap().1.parse::<f64>().unwrap();
    assert!(age >= 1.5, "{told}");
}

#[test]
fn a_host_that_hangs_up_when_it_has_answered_is_not_asked_in_a_loop() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("host");
    let listener = UnixListener::bind(&path).unwrap();
    let connected = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connected);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            counted.fetch_add(1, Ordering::Relaxed);
            let mut stream = stream.unwrap();
            let mut pings = 0;
            for line in BufReader::new(stream.try_clone().unwrap()).split(b'\n') {
                let line = String::from_utf8_lossy(&line.unwrap()).into_owned();
                let answer = match line.strip_prefix("ping ") {
                    Some(token) => format!("200 pong {token}\n"),
                    None if line.starts_with("get") => "429 retry after 0.001 s\n".to_owned(),
                    None => continue,
                };
                stream.write_all(answer.as_bytes()).unwrap();
                pings += usize::from(line.starts_with("ping "));
                // To find each other, and on both sides of the request.
                if pings == 3 {
                    break;
                }
            }
        }
    });
    let broker = Broker::start(&path);
    let start = Instant::now();
    assert!(broker.ask("loadavg.1").starts_with("503 loadavg.1: "));
    let most = start.elapsed().as_secs() + 3;
    let connected = connected.load(Ordering::Relaxed);
    assert!(connected >= 2 && u64::try_from(connected).unwrap() <= most, "{connected}");
}
