//! The broker, as programs in a guest see it.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use hostinfo_peer::examples::Slow;
use rustix::net::SendFlags;
use rustix::process::{Pid, Signal, kill_process};

use crate::host::FakeHost;
use crate::{said, tool};

/// A broker that runs as long as this lives.
pub(crate) struct Broker {
    pub(crate) process: Child,
    pub(crate) socket: PathBuf,
    http: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Broker {
    /// Starts a broker for that host.
    pub(crate) fn start(device: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("s");
        let http = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let process = tool("serve --timeout 2 --socket")
            .arg(&socket)
            .args(["--listen", &http.to_string()])
            .env("HOSTINFO_DEVICE", device)
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let broker = Self { process, socket, http, _folder: folder };
        // It listens there after it listens at its socket.
        let begun = Instant::now();
        while TcpStream::connect(broker.http).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(120), "it does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        broker
    }

    /// The result of `hostinfo ARGUMENTS` with it.
    pub(crate) fn run(&self, arguments: &str) -> (i32, String, String) {
        said(tool(arguments).env("HOSTINFO_DEVICE", &self.socket).output().unwrap())
    }

    /// Its answer to a line, up to the end of the reply.
    pub(crate) fn ask(&self, line: &str) -> String {
        let mut stream = UnixStream::connect(&self.socket).unwrap();
        stream.write_all(format!("{line}\n").as_bytes()).unwrap();
        reply(&mut BufReader::new(stream))
    }

    /// The answer to a scraper.
    pub(crate) fn scrape(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.http).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.process.kill().unwrap_or_default();
        self.process.wait().unwrap();
    }
}

fn reply(stream: &mut impl std::io::BufRead) -> String {
    let mut reply = String::new();
    while reply.lines().last().is_none_or(|line| line.get(3..4) != Some(" ")) {
        assert!(stream.read_line(&mut reply).unwrap() > 0, "{reply}");
    }
    reply
}

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

pub(crate) const GET: &str = "GET /metrics HTTP/1.1\r\nHost: localhost:4679\r\n\r\n";

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
        let (mut stream, _) = listener.accept().unwrap();
        let mut asked = 0;
        for line in BufReader::new(stream.try_clone().unwrap()).split(b'\n') {
            let line = String::from_utf8_lossy(&line.unwrap()).into_owned();
            let answer = match line.as_str() {
                "get * verdict" if asked == 1 => break,
                "get * verdict" => {
                    asked += 1;
                    "200-loadavg.1=0.42\n200-interval=0\n503 verdict: x\n".to_owned()
                }
                "list" => LIST.to_owned(),
                line => match line.strip_prefix("ping ") {
                    Some(token) => format!("200 pong {token}\n"),
                    None => continue,
                },
            };
            stream.write_all(answer.as_bytes()).unwrap();
        }
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

/// A host that goes away when it is asked for everything a second time on one connection, as when
/// its guest moves: the number of the connection is its session.
fn host_that_goes_away(path: &Path) {
    let listener = UnixListener::bind(path).unwrap();
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let mut asked = 0;
            for line in BufReader::new(stream.try_clone().unwrap()).split(b'\n') {
                let line = String::from_utf8_lossy(&line.unwrap()).into_owned();
                let answer = match line.as_str() {
                    "get * verdict" if asked == 1 => break,
                    "get * verdict" => {
                        asked += 1;
                        format!("200-session={number}\n200-interval=0\n503 verdict: x\n")
                    }
                    "list" => "200 session info - changes\n".to_owned(),
                    line => match line.strip_prefix("ping ") {
                        Some(token) => format!("200 pong {token}\n"),
                        None => continue,
                    },
                };
                stream.write_all(answer.as_bytes()).unwrap();
            }
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
        let (mut stream, _) = listener.accept().unwrap();
        fs::remove_file(path).unwrap();
        accepted.send(stream.try_clone().unwrap()).unwrap();
        for line in BufReader::new(stream.try_clone().unwrap()).split(b'\n') {
            let line = String::from_utf8_lossy(&line.unwrap()).into_owned();
            let answer = match line.as_str() {
                "get * verdict" => values.to_owned(),
                "list" => LIST.to_owned(),
                line => match line.strip_prefix("ping ") {
                    Some(token) => format!("200 pong {token}\n"),
                    None => continue,
                },
            };
            stream.write_all(answer.as_bytes()).unwrap_or_default();
        }
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
fn prometheus_own_checker_finds_nothing_to_say_about_what_is_scraped() {
    let (host, _) = host_of_a_minute();
    let broker = Broker::start(&host.path);
    let answer = broker.scrape(GET);
    let (_, text) = answer.split_once("\r\n\r\n").unwrap();
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool, of Debian's package prometheus, has to be there: scripts/setup test");
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Prometheus itself, which scrapes every second; it ends with the test.
struct Prometheus {
    process: Child,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Prometheus {
    fn start(target: SocketAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("prometheus.yml");
        let scrape = "scrape_configs:\n  - job_name: guest\n    scrape_interval: 1s\n    \
                      static_configs:\n      - targets: [";
        fs::write(&config, format!("{scrape}\"{target}\"]\n")).unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let process = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stderr(Stdio::null())
            .spawn()
            .expect("prometheus, Debian's package, has to be there: scripts/setup test");
        Self { process, address, _folder: folder }
    }

    /// Its value of that metric, once it has one.
    fn query(&self, metric: &str) -> String {
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(120) {
            std::thread::sleep(Duration::from_millis(300));
            let Ok(mut stream) = TcpStream::connect(self.address) else { continue };
            let request = format!("GET /api/v1/query?query={metric} HTTP/1.0\r\n\r\n");
            stream.write_all(request.as_bytes()).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            if answer.contains("\"value\":[") {
                return answer;
            }
        }
        panic!("Prometheus has no {metric}");
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

#[test]
fn a_real_prometheus_scrapes_the_broker_which_asks_the_host_once() {
    let (host, asked) = host_of_a_minute();
    let broker = Broker::start(&host.path);
    let prometheus = Prometheus::start(broker.http);
    let load = prometheus.query("hostinfo_loadavg_1");
    assert!(load.contains("\"0.42\"]") && load.contains("\"job\":\"guest\""), "{load}");
    let up = prometheus.query("min_over_time(up[3s])");
    assert!(up.contains("\"1\"]"), "{up}");
    assert_eq!(asked.load(Ordering::Relaxed), 1, "though it scrapes every second");
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
