//! A broker that Prometheus scrapes.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::host_of_a_minute;
use crate::broker::{Broker, GET};

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
