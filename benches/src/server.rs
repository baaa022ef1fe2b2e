//! The two servers as processes: started with their own directory, ended when let go.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;

use rustix::process::{Pid, Signal, kill_process};

use crate::machine::Cpus;
use crate::process::Process;

/// No bound on how fast a guest may ask: the bounds are not what is measured.
const CONFIG: &str = "\
[flow]
lines_per_second = 0
line_burst = 0
bytes_per_second = 0
byte_burst = 0
";

/// Every guest may ask everything, always.
const RULES: &str = "\
*:
  interval = 0
  all = 1
";

/// A server that runs.
pub(crate) struct Server {
    child: Child,
    log: PathBuf,
}

impl Server {
    /// Starts the daemon, which connects to what is or comes into `dir`'s sockets, with `more`
    /// settings.
    pub(crate) fn daemon(
        program: &Path,
        dir: &Path,
        more: &str,
        cpus: &Cpus,
    ) -> anyhow::Result<Self> {
        Self::daemon_by(Command::new(program), dir, more, cpus)
    }

    /// The same where `command` starts the daemon's program.
    pub(crate) fn daemon_by(
        mut command: Command,
        dir: &Path,
        more: &str,
        cpus: &Cpus,
    ) -> anyhow::Result<Self> {
        let file = |name: &str| dir.join(name);
        fs::create_dir_all(file("state"))?;
        fs::write(file("hostinfod.toml"), format!("{CONFIG}{more}"))?;
        fs::write(file("hostinfo.conf"), RULES)?;
        command.arg("--config").arg(file("hostinfod.toml"));
        command.arg("--rules").arg(file("hostinfo.conf"));
        command.arg("--socket-dir").arg(sockets(dir)?);
        command.arg("--state-dir").arg(file("state"));
        command.arg("--control").arg(file("control"));
        Self::start(command, dir, cpus)
    }

    /// Starts the echo server, which connects to `socket` as often as there are guests.
    pub(crate) fn echo(
        dir: &Path,
        socket: &Path,
        count: u16,
        answer: &str,
        cpus: &Cpus,
    ) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("echo").arg(socket).arg(count.to_string()).arg(answer);
        Self::start(command, dir, cpus)
    }

    fn start(mut command: Command, dir: &Path, cpus: &Cpus) -> anyhow::Result<Self> {
        // In a directory of its own: the daemon watches the one that has its rules, and would be told of each line.
        let logs = dir.join("logs");
        fs::create_dir_all(&logs)?;
        let log = logs.join("stderr");
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log)?)
            .spawn()
            .with_context(|| format!("{command:?}"))?;
        let server = Self { child, log };
        cpus.pin_server(Pid::from_child(&server.child))?;
        Ok(server)
    }

    /// The process to look at.
    pub(crate) fn process(&self) -> Process {
        Process(self.child.id())
    }

    /// Has it end by itself.
    pub(crate) fn end(mut self) -> anyhow::Result<()> {
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        self.child.wait()?;
        Ok(())
    }

    /// What it said on stderr.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended already where this fails.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The directory of the guests' sockets in a server's directory.
pub(crate) fn sockets(dir: &Path) -> anyhow::Result<PathBuf> {
    let sockets = dir.join("sockets");
    fs::create_dir_all(&sockets)?;
    Ok(sockets)
}
