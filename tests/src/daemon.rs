//! The real daemon as a process.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::process::Signal;

use crate::deadline::{PATIENCE, wait_until};
use crate::process::{Process, tied};

/// A running hostinfod. It is killed when this value is dropped.
#[derive(Debug)]
pub struct Daemon {
    process: Process,
    /// Where it reports that it is ready, as it would to systemd.
    notify: UnixDatagram,
}

impl Daemon {
    /// Starts `program` as the daemon of the host in `folder` with these arguments, after the words of another command, which
    /// has to end with it.
    pub(crate) fn launch(
        folder: &Path,
        program: &Path,
        arguments: &[&OsStr],
        enter: &[&str],
    ) -> Result<Self> {
        // A daemon that is started later must not overwrite the log of the first one.
        let number = (0u32..)
            .find(|number| !folder.join(format!("daemon-{number}.log")).exists())
            .unwrap_or_default();
        let notify_path = folder.join(format!("notify-{number}"));
        let notify = UnixDatagram::bind(&notify_path).context("bind the notify socket")?;
        notify.set_nonblocking(true)?;
        fs::set_permissions(&notify_path, Permissions::from_mode(0o777))?;
        let mut command = match enter {
            [] => tied(program),
            [enter, rest @ ..] => {
                let mut command = tied(enter);
                command.args(rest).arg(program);
                command
            }
        };
        command.args(arguments).env("NOTIFY_SOCKET", &notify_path).env_remove("JOURNAL_STREAM");
        let log = folder.join(format!("daemon-{number}.log"));
        Ok(Self { process: Process::start(&mut command, log)?, notify })
    }

    /// Waits until the daemon reports that it is ready.
    pub(crate) fn wait_until_ready(&mut self) -> Result<()> {
        let mut message = [0; 1024];
        wait_until("the daemon to serve", PATIENCE, || {
            if let Some(status) = self.process.ended()? {
                bail!("the daemon ended: {status}");
            }
            let length = self.notify.recv(&mut message).unwrap_or(0);
            let text = message.get(..length).unwrap_or_default();
            Ok(text.split(|byte| *byte == b'\n').any(|line| line == b"READY=1"))
        })
        .with_context(|| self.story())
    }

    /// The process number.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// The daemon's log.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Waits until the log contains `text`.
    ///
    /// # Errors
    /// It never does.
    pub fn wait_for_log(&self, text: &str) -> Result<()> {
        wait_until(text, PATIENCE, || Ok(self.log().contains(text))).with_context(|| self.story())
    }

    /// Asks it to end and returns its exit status.
    ///
    /// # Errors
    /// It does not end.
    pub fn stop(mut self) -> Result<ExitStatus> {
        self.process.signal(Signal::TERM)?;
        self.wait()
    }

    /// Asks it to read its rules again.
    ///
    /// # Errors
    /// It has ended.
    pub fn hang_up(&self) -> Result<()> {
        self.process.signal(Signal::HUP)
    }

    /// Asks it to execute its program anew.
    ///
    /// # Errors
    /// It has ended.
    pub fn upgrade(&self) -> Result<()> {
        self.process.signal(Signal::USR1)
    }

    /// Waits for it to end.
    ///
    /// # Errors
    /// It keeps running.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        self.process.wait(PATIENCE)
    }

    /// `kill -9`.
    ///
    /// # Errors
    /// It had already ended.
    pub fn kill(mut self) -> Result<()> {
        self.process.kill()
    }

    /// The CPU time it has used, user and system.
    ///
    /// # Errors
    /// It has ended.
    pub fn cpu_time(&self) -> Result<Duration> {
        // proc(5): utime and stime are the 14th and 15th field of stat; the name, which is the 2nd
        // field and may contain blanks, ends with the last parenthesis.
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid()))?;
        let (_, fields) = stat.rsplit_once(')').context("no name in stat")?;
        let ticks: u64 = fields
            .split_whitespace()
            .skip(11)
            .take(2)
            .map(|field| field.parse::<u64>().unwrap_or(0))
            .sum();
        Ok(Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second()))
    }

    /// The memory that it holds for itself, in bytes: `RssAnon` of proc(5).
    ///
    /// # Errors
    /// It has ended.
    pub fn memory(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid()))?;
        let kilobytes = status
            .lines()
            .find_map(|line| line.strip_prefix("RssAnon:")?.split_whitespace().next())
            .context("no RssAnon in status")?;
        Ok(kilobytes.parse::<u64>()? * 1024)
    }

    fn story(&self) -> String {
        format!("the daemon said:\n{}", self.log())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- {}", self.story());
        }
    }
}
