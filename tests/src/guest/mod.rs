//! A real guest: QEMU, a Linux kernel, busybox, and a shell that does what a test says.

pub(crate) mod console;
mod domain;
pub(crate) mod image;
mod machine;
pub(crate) mod qmp;
mod saved;

use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use tempfile::TempDir;

pub use console::Output;
pub use domain::{Domain, DomainGuest, serial, serial_at};
pub(crate) use machine::qemu_version;
pub use machine::{Accel, Port};

use crate::deadline::{PATIENCE, wait_for, wait_until};
use crate::process::Process;
use console::Console;
use image::Image;
use machine::{CONSOLE, HOSTINFO, MONITOR};
use qmp::Qmp;
use saved::Cached;

/// How long a guest waits for each line of an answer.
const ANSWER: Duration = Duration::from_secs(10);

/// A running guest. Its QEMU is killed when this value is dropped; the socket's file stays, as it
/// does on a host.
#[derive(Debug)]
pub struct Guest {
    qemu: Process,
    qmp: Qmp,
    console: Console,
    port: Port,
    _folder: TempDir,
}

impl Guest {
    /// Boots a guest whose hostinfo socket is at `socket`.
    ///
    /// # Errors
    /// It does not boot `within` the time.
    pub fn boot(socket: &Path, port: Port, accel: Accel, within: Duration) -> Result<Self> {
        let cached = Cached::find()?;
        let mut guest = Self::start(&cached.image, socket, port, accel, None)?;
        guest.boot_within(within)?;
        Ok(guest)
    }

    /// Restores a guest that has already booted. It also runs without a daemon that connects to
    /// `socket`: see [`Guest::wait_for_host`].
    ///
    /// # Errors
    /// It does not start.
    pub fn restore(socket: &Path, port: Port) -> Result<Self> {
        let cached = Cached::find()?;
        let state = cached.state(port)?;
        let mut guest = Self::start(&cached.image, socket, port, Accel::Tcg, Some(&state))?;
        guest.wait_until_running()?;
        Ok(guest)
    }

    fn start(
        image: &Image,
        socket: &Path,
        port: Port,
        accel: Accel,
        state: Option<&Path>,
    ) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("hostinfo-guest-").tempdir()?;
        let listen = |name| UnixListener::bind(folder.path().join(name));
        let (console, monitor) = (listen(CONSOLE)?, listen(MONITOR)?);
        let mut command = machine::command(image, folder.path(), socket, port, accel);
        if let Some(state) = state {
            command.arg("-incoming").arg(format!("exec:cat '{}'", state.display()));
        }
        let mut qemu = Process::start(&mut command, folder.path().join("qemu.log"))?;
        let console = Console::new(accept(&console, &mut qemu)?);
        let qmp = Qmp::new(accept(&monitor, &mut qemu)?)?;
        Ok(Self { qemu, qmp, console, port, _folder: folder })
    }

    /// The device through which this guest asks its host.
    pub fn device(&self) -> &'static str {
        self.port.device()
    }

    /// QEMU's process.
    pub fn pid(&self) -> u32 {
        self.qemu.pid()
    }

    /// Runs a command in the guest's shell.
    ///
    /// # Errors
    /// It does not end in time.
    pub fn run(&mut self, command: &str) -> Result<Output> {
        self.run_within(command, PATIENCE)
    }

    /// [`Guest::run`] with another time limit.
    ///
    /// # Errors
    /// It does not end `within` the time.
    pub fn run_within(&mut self, command: &str, within: Duration) -> Result<Output> {
        let output = self.console.run(command, within);
        output.with_context(|| format!("run in the guest: {command}\n{}", self.story()))
    }

    /// Runs a command that must succeed, and returns its output.
    ///
    /// # Errors
    /// It fails.
    pub fn sh(&mut self, command: &str) -> Result<String> {
        let output = self.run(command)?;
        if output.status != 0 {
            bail!("in the guest {command:?} fails: {output:?}\n{}", self.story());
        }
        Ok(output.stdout)
    }

    /// Asks the host as `docs/protocol.md` shows, with shell alone, and returns its reply, one
    /// string per line. `request` goes into single quotes.
    ///
    /// # Errors
    /// No complete reply arrives.
    pub fn ask(&mut self, request: &str) -> Result<Vec<String>> {
        let reply = self.sh(&question(self.port, request, ANSWER))?;
        Ok(reply.lines().map(str::to_owned).collect())
    }

    /// Waits until the daemon has connected. Anything a guest writes before that is lost.
    ///
    /// # Errors
    /// It does not connect.
    pub fn wait_for_host(&mut self) -> Result<()> {
        let within = PATIENCE;
        wait_until("the daemon to connect to QEMU", within, || self.has_host())
            .with_context(|| self.story())
    }

    /// Whether the daemon is connected.
    ///
    /// # Errors
    /// QEMU does not report it.
    pub fn has_host(&mut self) -> Result<bool> {
        let devices = self.qmp.call("query-chardev", json!({}))?;
        let device = devices
            .as_array()
            .and_then(|all| all.iter().find(|device| text(device, "label") == Some(HOSTINFO)))
            .context("QEMU has lost its character device")?;
        // "disconnected:unix:PATH,server=on" or, with a client, "unix:PATH,server=on".
        Ok(text(device, "filename").is_some_and(|name| name.starts_with("unix:")))
    }

    /// Presses the machine's reset button, and waits until it has booted again.
    ///
    /// # Errors
    /// It does not.
    pub fn reset(&mut self) -> Result<()> {
        self.qmp.call("system_reset", json!({}))?;
        self.wait_for_boot()
    }

    /// Makes the guest's kernel reboot, and waits until it has.
    ///
    /// # Errors
    /// It does not.
    pub fn reboot(&mut self) -> Result<()> {
        self.sh("(sleep 0.2; reboot -f) >/dev/null 2>&1 &")?;
        self.wait_for_boot()
    }

    /// Pauses the guest's CPUs.
    ///
    /// # Errors
    /// QEMU refuses.
    pub fn pause(&mut self) -> Result<()> {
        self.qmp.call("stop", json!({})).map(drop)
    }

    /// Lets them run again.
    ///
    /// # Errors
    /// QEMU refuses.
    pub fn resume(&mut self) -> Result<()> {
        self.qmp.call("cont", json!({})).map(drop)
    }

    /// `kill -9` of QEMU. The socket's file stays.
    ///
    /// # Errors
    /// It had already ended.
    pub fn kill(mut self) -> Result<()> {
        self.qemu.kill()
    }

    fn wait_for_boot(&mut self) -> Result<()> {
        self.boot_within(PATIENCE)
    }

    fn boot_within(&mut self, within: Duration) -> Result<()> {
        self.console.wait_for_boot(within).with_context(|| self.story())
    }

    fn wait_until_running(&mut self) -> Result<()> {
        wait_until("the guest to be restored", PATIENCE, || {
            let status = self.qmp.call("query-status", json!({}))?;
            Ok(text(&status, "status") == Some("running"))
        })
        .with_context(|| self.story())
    }

    fn story(&self) -> String {
        format!("QEMU said:\n{}\nthe guest said:\n{}", self.qemu.log(), self.console.said())
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- {}", self.story());
        }
    }
}

/// The shell command that asks the host, and waits that long for each line of its reply.
pub(crate) fn question(port: Port, request: &str, patience: Duration) -> String {
    // A channel is not a terminal and does not need stty.
    let (device, seconds) = (port.device(), patience.as_secs());
    format!(
        "exec 3<>{device}; stty raw -echo <&3 2>/dev/null; echo '{request}' >&3
        while read -r -t {seconds} line <&3; do
            echo \"$line\"
            case $line in ???' '*) exit 0;; esac
        done
        exit 1"
    )
}

/// A string in one of QEMU's answers.
pub(crate) fn text<'a>(answer: &'a Value, key: &str) -> Option<&'a str> {
    answer.get(key)?.as_str()
}

/// Accepts the connection of a QEMU that has just been started.
pub(crate) fn accept(listener: &UnixListener, qemu: &mut Process) -> Result<UnixStream> {
    listener.set_nonblocking(true)?;
    let stream = wait_for("QEMU to connect", PATIENCE, || {
        if let Some(status) = qemu.ended()? {
            bail!("QEMU ended: {status}");
        }
        Ok(listener.accept().ok().map(|(stream, _)| stream))
    })
    .with_context(|| format!("QEMU said:\n{}", qemu.log()))?;
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}
