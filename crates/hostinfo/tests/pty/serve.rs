//! The broker, as programs in a guest see it.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hostinfo_peer::examples::Slow;
use rustix::net::SendFlags;
use rustix::process::{Pid, Signal, kill_process};

use crate::broker::{Broker, GET, reply};
use crate::host::{FakeHost, answer_all};
use crate::{said, tool};

mod moved;
mod prometheus;

const LIST: &str = "200-session info - changes\n200-sample.age gauge seconds how old\n\
                    200-interval gauge seconds how often\n200-loadavg.1 gauge - load\n\
                    200-swap.free gauge bytes free swap\n200 verdict.cpu info - CPU\n";

/// A host that lets its guest ask once a minute, and a count of how often it was asked for
/// everything.
fn host_of_a_minute() -> (FakeHost, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let host = FakeHost::new(move |line| match line {
        "list" => LIST,
        "get * verdict" => match counted.fetch_add(1, Ordering::Relaxed) {
            0 => {
                "200-session=a\n200-sample.age=0.1\n200-interval=60\n200-loadavg.1=0.42\n\
                 200 verdict.cpu=ok: your vCPUs ran\n"
            }
            _ => "429 retry after 55.000 s\n",
        },
        other => panic!("the broker sent {other}"),
    });
    (host, asked)
}

#[test]
fn the_brokers_values_grow_old() {
    let (host, _) = host_of_a_minute();
    let broker = Broker::start(&host.path);
    let age = || -> f64 {
        let told = broker.ask("sample.age");
        told.trim().strip_prefix("200 sample.age=").unwrap().parse().unwrap()
    };
    let (first, start) = (age(), Instant::now());
    assert!(first >= 0.1, "{first}");
    std::thread::sleep(Duration::from_millis(1200));
    let grown = age() - first;
    assert!(grown >= 1.0 && grown <= start.elapsed().as_secs_f64() + 0.2, "{grown}");
}

#[test]
fn a_name_without_a_value_is_refused_by_the_hosts_list_of_names() {
    let (host, _) = host_of_a_minute();
    let broker = Broker::start(&host.path);
    assert_eq!(broker.ask("swap.free"), "503 swap.free: not available now\n");
    assert_eq!(broker.ask("host.name"), "403 host.name: not permitted\n");
    assert_eq!(broker.ask("no.such"), "404 no.such: no such statistic\n");
    assert_eq!(broker.ask("list"), LIST);
    assert_eq!(
        broker.run("list swap").1,
        "swap.free  gauge  bytes  free swap  hostinfo_swap_free_bytes\n"
    );
    assert_eq!(broker.run("get swap.free").0, 3);
}

#[test]
fn while_the_host_is_silent_a_query_is_held_and_then_told_so() {
    let host = FakeHost::raw(b"", |_| "");
    let broker = Broker::start(&host.path);
    let start = Instant::now();
    let told = broker.ask("get loadavg.1 x");
    assert!(start.elapsed() >= Duration::from_secs(4));
    assert_eq!(
        told,
        "503-loadavg.1: the host has not answered\n503 x: the host has not answered\n"
    );
    let (status, _, errors) = broker.run("get loadavg.1");
    assert_eq!(status, 5, "the tool waits that long: {errors}");
    let told = format!(
        "hostinfo: no host answers: unix:{}: the host has not answered\nWhat hostinfo serve writes ",
        broker.socket.display()
    );
    assert!(errors.starts_with(&told), "{errors}");
    assert!(broker.scrape(GET).starts_with("HTTP/1.1 503 "));
    assert_eq!(broker.ask("ping x"), "200 pong x\n", "what needs no host is answered at once");
}

#[test]
fn of_a_host_that_vanished_a_broker_says_when_it_last_answered_and_why_not_now() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("host");
    let listener = UnixListener::bind(&path).unwrap();
    let gone = path.clone();
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut asked = 0;
        answer_all(stream, |line| match line {
            "get * verdict" if asked == 1 => None,
            "get * verdict" => {
                asked += 1;
                Some("200-loadavg.1=0.42\n200-interval=0\n503 verdict: x\n".to_owned())
            }
            "list" => Some(LIST.to_owned()),
            _ => Some(String::new()),
        });
        std::fs::remove_file(gone).unwrap();
    });
    let broker = Broker::start(&path);
    assert_eq!(broker.ask("loadavg.1"), "200 loadavg.1=0.42\n");
    std::thread::sleep(Duration::from_secs(1));
    broker.ask("loadavg.1");
    let told = broker.ask("loadavg.1");
    assert!(
        told.starts_with("503 loadavg.1: the host last answered ")
            && told.contains(" s ago; then: "),
        "{told}"
    );
    let (status, _, errors) = broker.run("get loadavg.1");
    let told = format!(
        "hostinfo: no host answers: unix:{}: the host last answered ",
        broker.socket.display()
    );
    assert!(status == 5 && errors.starts_with(&told), "{errors}");
}

#[test]
fn where_the_broker_may_not_ask_either_each_is_told_when_and_who_waits_gets_the_answer() {
    let host = FakeHost::new(|_| "429 retry after 49.200 s\n");
    let broker = Broker::start(&host.path);
    let start = Instant::now();
    // It has only just been told so itself.
    assert!((0..9).any(|_| broker.ask("get x").contains("too soon")));
    let why = "too soon to ask the host: first answer in ";
    for arguments in ["get loadavg.1", "--json loadavg.1", "list", "", "--format prometheus"] {
        let (status, text, errors) = broker.run(arguments);
        assert_eq!((status, text.as_str()), (4, ""), "{arguments}: {errors}");
        assert!(errors.starts_with(&format!("hostinfo: {why}")), "{arguments}: {errors}");
        assert!(errors.ends_with(" s; ask again then, or with --wait\n"), "{arguments}: {errors}");
    }
    assert!(broker.scrape(GET).contains(why));
    assert!(start.elapsed() < Duration::from_secs(40), "nobody is held in vain");

    let from = Instant::now() + Duration::from_secs(7);
    let host = FakeHost::new(move |line| match line {
        _ if Instant::now() < from => "429 retry after 7.000 s\n",
        "list" => LIST,
        _ => "200-loadavg.1=0.42\n200 verdict.cpu=ok: x\n",
    });
    let broker = Broker::start(&host.path);
    let (status, text, errors) = broker.run("get loadavg.1 --wait");
    assert_eq!((status, text.as_str()), (0, "loadavg.1=0.42\n"));
    assert!(errors.starts_with("hostinfo: too soon to ask: waiting for "), "{errors}");
}

#[test]
fn a_broker_says_where_it_listens_and_is_named_to_who_goes_past_it() {
    let (host, _) = host_of_a_minute();
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s");
    let mut process = tool("serve --listen 127.0.0.1:0 --socket")
        .arg(&socket)
        .env("HOSTINFO_DEVICE", &host.path)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stderr.take().unwrap()).lines().map(Result::unwrap);
    let told = format!("hostinfo: listening at {}, for this guest's programs", socket.display());
    assert_eq!(lines.next(), Some(told));
    let http = lines.next().unwrap();
    assert!(http.starts_with("hostinfo: listening at http://127.0.0.1:"), "{http}");
    assert!(http.ends_with("/metrics, for Prometheus"), "{http}");
    let told = format!("hostinfo: the host answers on {}", host.path.display());
    assert_eq!(lines.next(), Some(told));
    let (status, _, errors) = said(tool("ping --device").arg(&host.path).output().unwrap());
    let broker = process.id();
    process.kill().unwrap();
    process.wait().unwrap();
    let told = format!(
        "hostinfo: {}: held by the broker, hostinfo serve (PID {broker}): leave out --device (and HOSTINFO_DEVICE)",
        host.path.display()
    );
    assert!(status == 1 && errors.starts_with(&told), "{errors}");
}

#[test]
fn a_foreign_page_in_a_browser_gets_nothing() {
    let (host, _) = host_of_a_minute();
    let broker = Broker::start(&host.path);
    let answer = broker.scrape(&GET.replace("localhost", "evil.example"));
    assert!(answer.starts_with("HTTP/1.1 403 ") && !answer.contains("loadavg"), "{answer}");
}

#[test]
fn more_clients_than_there_is_room_for_are_turned_away_and_the_others_are_served() {
    let (host, _) = host_of_a_minute();
    let broker = Broker::start(&host.path);
    let mut clients: Vec<_> =
        (0..32).map(|_| BufReader::new(UnixStream::connect(&broker.socket).unwrap())).collect();
    for client in &mut clients {
        client.get_mut().write_all(b"loadavg.1\n").unwrap();
        assert_eq!(reply(client), "200 loadavg.1=0.42\n");
    }
    let mut last = UnixStream::connect(&broker.socket).unwrap();
    assert_eq!(last.read(&mut [0; 8]).unwrap(), 0, "it is closed at once");
    drop(clients);
    assert_eq!(broker.ask("loadavg.1"), "200 loadavg.1=0.42\n");
}

#[test]
fn a_socket_of_the_service_managers_is_taken_from_standard_input() {
    let (host, _) = host_of_a_minute();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let listener = UnixListener::bind(&path).unwrap();
    let mut process = tool("serve --socket - --listen none")
        .env("HOSTINFO_DEVICE", &host.path)
        .stdin(Stdio::from(std::os::fd::OwnedFd::from(listener)))
        .spawn()
        .unwrap();
    let output = tool("get loadavg.1").env("HOSTINFO_DEVICE", &path).output().unwrap();
    process.kill().unwrap();
    process.wait().unwrap();
    assert_eq!(said(output).1, "loadavg.1=0.42\n");
    let (status, _, errors) = said(tool("serve --socket - --listen none").output().unwrap());
    assert_eq!(status, 1);
    assert!(errors.contains("standard input is not a socket"), "{errors}");
}

#[test]
fn the_unit_of_the_broker_which_any_user_starts_stops_no_other_one() {
    let unit = include_str!("../../../../dist/guest/hostinfo-serve.service");
    assert!(!unit.lines().any(|line| line.starts_with("Conflicts=")));
}

#[test]
fn a_broker_that_ends_removes_its_socket() {
    let (host, _) = host_of_a_minute();
    let mut broker = Broker::start(&host.path);
    kill_process(Pid::from_child(&broker.process), Signal::TERM).unwrap();
    assert_eq!(broker.process.wait().unwrap().signal(), Some(15));
    assert!(!broker.socket.exists());
}

#[test]
fn an_address_for_scrapers_that_was_asked_for_and_is_taken_is_an_error() {
    let (host, _) = host_of_a_minute();
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut command = tool("serve --socket");
    command.arg(&socket).args(["--listen", &taken.local_addr().unwrap().to_string()]);
    let (status, _, errors) = said(command.env("HOSTINFO_DEVICE", &host.path).output().unwrap());
    assert_eq!(status, 1);
    assert!(errors.starts_with("hostinfo: cannot listen at 127.0.0.1:"), "{errors}");
    assert!(errors.ends_with(": name another with --listen\n"), "{errors}");
    assert!(!socket.exists());
}

#[test]
fn a_broker_that_nobody_asks_does_not_wake_up() {
    let (host, _) = host_of_a_minute();
    let broker = Broker::start(&host.path);
    assert_eq!(broker.ask("loadavg.1"), "200 loadavg.1=0.42\n");
    let switches = || -> u64 {
        let tasks = fs::read_dir(format!("/proc/{}/task", broker.process.id())).unwrap();
        let count = |task: std::io::Result<fs::DirEntry>| -> u64 {
            let status = fs::read_to_string(task.unwrap().path().join("status")).unwrap();
            let line = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches"));
            line.unwrap().split_whitespace().nth(1).unwrap().parse().unwrap()
        };
        tasks.map(count).sum()
    };
    // Until the broker has noticed that the client left.
    std::thread::sleep(Duration::from_millis(500));
    let before = switches();
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(switches(), before);
}

#[test]
fn a_program_that_sends_descriptors_which_take_long_to_close_keeps_no_other_waiting() {
    let host = FakeHost::new(|_| "429 retry after 49.200 s\n");
    let broker = Broker::start(&host.path);
    let mut program = UnixStream::connect(&broker.socket).unwrap();
    // While these are answered, nothing more is read: the sender has closed its own copy before.
    program.write_all("ping\n".repeat(80).as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    // From Linux 6.16 on, none can be sent.
    let sent = Slow::new().unwrap().send(&program, SendFlags::empty());
    for _ in 0..5 {
        assert_eq!(broker.ask("ping a"), "200 pong a\n");
        std::thread::sleep(Duration::from_millis(500));
    }
    drop(sent);
}
