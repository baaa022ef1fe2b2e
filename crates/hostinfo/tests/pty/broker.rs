//! A broker that tests start.

use std::io::{BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::{said, tool};

pub(crate) const GET: &str = "GET /metrics HTTP/1.1\r\nHost: localhost:4679\r\n\r\n";

/// A broker that runs as long as this lives.
pub(crate) struct Broker {
    pub(crate) process: Child,
    pub(crate) socket: PathBuf,
    pub(crate) http: SocketAddr,
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

pub(crate) fn reply(stream: &mut impl std::io::BufRead) -> String {
    let mut reply = String::new();
    while reply.lines().last().is_none_or(|line| line.get(3..4) != Some(" ")) {
        assert!(stream.read_line(&mut reply).unwrap() > 0, "{reply}");
    }
    reply
}
