//! Shared by tests of watched guests: a guest whose VMM is the test's own process, and waiting.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longer than anything here takes unless it hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

/// Starts a daemon on the files in `folder`, including its `/proc` and `/sys` if they are named,
/// and waits until it is ready. Its log is written there.
pub(crate) fn start(program: &Path, folder: &Path, roots: &[(&str, &str)]) -> Child {
    let mut command = Command::new(program);
    let files = [
        ("--config", "toml"),
        ("--rules", "rules"),
        ("--socket-dir", "sockets"),
        ("--state-dir", "state"),
        ("--control", "control"),
    ];
    for (flag, name) in files.iter().chain(roots) {
        command.arg(flag).arg(folder.join(name));
    }
    let notify = folder.join("notify");
    let _ = fs::remove_file(&notify);
    let ready = UnixDatagram::bind(&notify).unwrap();
    ready.set_read_timeout(Some(PATIENCE)).unwrap();
    let log = fs::File::options().create(true).append(true).open(folder.join("log")).unwrap();
    command.stdin(Stdio::null()).stderr(log).env("NOTIFY_SOCKET", &notify);
    let daemon = command.env_remove("JOURNAL_STREAM").spawn().unwrap();
    ready.recv(&mut [0; 64]).unwrap();
    daemon
}

/// A guest at the other end of its socket.
pub(crate) struct Guest(BufReader<UnixStream>);

impl Guest {
    /// Waits until the daemon connects.
    pub(crate) fn accept(listener: &UnixListener) -> Self {
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(BufReader::new(stream))
    }

    pub(crate) fn ask(&mut self, line: &str) -> String {
        self.0.get_mut().write_all(format!("{line}\n").as_bytes()).unwrap();
        let mut answer = String::new();
        self.0.read_line(&mut answer).unwrap();
        answer.trim_end().to_owned()
    }
}

/// Waits until `holds` returns a value, and returns it.
pub(crate) fn wait_for<T>(what: &str, mut holds: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = holds() {
            return found;
        }
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
