//! A Windows for the guest's tool: Wine, with pseudo-terminals as COM ports.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{Read as _, Seek as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use tempfile::TempDir;

use crate::ctl::Ended;
use crate::deadline::{PATIENCE, wait_until};
use crate::paths;
use crate::process::{Process, tied};

/// The key under which Wine looks for COM ports, before it links them to those of this machine.
const PORTS: &str = r"HKLM\Software\Wine\Ports";

/// The path of what stands for a channel.
pub const CHANNEL: &str = r"\\.\pipe\channel";

/// Wine's own folder with one program in it. Removed at the end, with everything that runs there.
#[derive(Debug)]
pub struct Wine {
    folder: TempDir,
}

impl Wine {
    /// A Windows with `hostinfo.exe`, and with these COM ports: their names, and the paths of the ttys behind them.
    ///
    /// # Errors
    /// Wine is not installed or does not start; `hostinfo.exe` is not built.
    pub fn start(ports: &[(&str, &str)]) -> Result<Self> {
        let wine = Self { folder: tempfile::Builder::new().prefix("hostinfo-wine-").tempdir()? };
        fs::copy(paths::windows_tool()?, wine.folder.path().join("hostinfo.exe"))?;
        wine.compile("bcryptprimitives.c", "bcryptprimitives.dll", &["-shared", "-ladvapi32"])?;
        for (name, tty) in ports {
            let words = ["add", PORTS, "/v", name, "/d", tty, "/f"];
            let said = run(wine.command("reg", &words))?;
            ensure!(said.status == 0, "{said:?}");
        }
        // They are linked when Wine starts.
        wine.end();
        Ok(wine)
    }

    /// Runs `hostinfo.exe`.
    ///
    /// # Errors
    /// It cannot be run.
    pub fn hostinfo(&self, args: &[&str]) -> Result<Ended> {
        run(self.hostinfo_command(args))
    }

    /// The command that does so.
    pub fn hostinfo_command(&self, args: &[&str]) -> Command {
        self.command(self.folder.path().join("hostinfo.exe"), args)
    }

    /// A program that stands for a channel, [`CHANNEL`]. Somebody at its other end answers `ping` and `version` if it
    /// `answers`.
    ///
    /// # Errors
    /// It does not start.
    pub fn channel(&self, answers: bool) -> Result<Process> {
        self.compile("channel.c", "channel.exe", &[])?;
        let silent: &[&str] = if answers { &[] } else { &["silent"] };
        let mut command = self.command(self.folder.path().join("channel.exe"), silent);
        let mut channel = Process::start(&mut command, self.folder.path().join("channel.log"))?;
        wait_until("the channel", PATIENCE, || match channel.ended()? {
            Some(status) => bail!("the channel ended: {status}"),
            None => Ok(channel.log().contains("ready")),
        })?;
        Ok(channel)
    }

    /// Compiles one of the files beside this one.
    fn compile(&self, source: &str, made: &str, options: &[&str]) -> Result<()> {
        let sources = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wine"));
        let output = Command::new("x86_64-w64-mingw32-gcc")
            .args(["-Wall", "-Werror", "-o"])
            .args([self.folder.path().join(made), sources.join(source)])
            .args(options)
            .output()
            .context("run x86_64-w64-mingw32-gcc")?;
        ensure!(output.status.success(), "{output:?}");
        Ok(())
    }

    /// A folder that both sides see: here, and as Windows names it.
    pub fn folder(&self) -> (&Path, String) {
        let path = self.folder.path();
        (path, format!("Z:{}", path.display()).replace('/', r"\"))
    }

    fn command(&self, program: impl AsRef<OsStr>, args: &[&str]) -> Command {
        let mut command = tied(debians("wine64"));
        command
            .arg(program)
            .args(args)
            .env("WINEPREFIX", self.folder.path().join("prefix"))
            .env("WINEDEBUG", "-all")
            // Otherwise it wants to download .NET and a browser, and writes menus.
            .env("WINEDLLOVERRIDES", "mscoree=;mshtml=;winemenubuilder.exe=")
            .env_remove("DISPLAY")
            .env_remove("HOSTINFO_DEVICE");
        command
    }

    /// Ends all programs, and the server that they share.
    pub fn end(&self) {
        let _ = Command::new(debians("wineserver64"))
            .args(["--kill", "--wait"])
            .env("WINEPREFIX", self.folder.path().join("prefix"))
            .stderr(Stdio::null())
            .status();
    }
}

impl Drop for Wine {
    fn drop(&mut self) {
        self.end();
    }
}

/// Runs a command, whose output goes to files: Wine's services hold that of the program which has started them open for
/// as long as any program runs.
fn run(mut command: Command) -> Result<Ended> {
    let (mut stdout, mut stderr) = (tempfile::tempfile()?, tempfile::tempfile()?);
    let status = command
        .stdin(Stdio::null())
        .stdout(stdout.try_clone()?)
        .stderr(stderr.try_clone()?)
        .status()
        .context("run Wine")?;
    Ok(Ended {
        status: status.code().unwrap_or(-1),
        stdout: text(&mut stdout)?,
        stderr: text(&mut stderr)?,
    })
}

/// All that a file has.
fn text(file: &mut File) -> Result<String> {
    let mut text = String::new();
    file.rewind()?;
    file.read_to_string(&mut text)?;
    Ok(text)
}

/// A program of Wine, which Debian puts where only its script `wine` looks for it.
fn debians(name: &str) -> PathBuf {
    let path = Path::new("/usr/lib/wine").join(name);
    if path.exists() { path } else { PathBuf::from(name) }
}

/// A tty whose other end is open and sends nothing.
#[derive(Debug)]
pub struct SilentTty {
    /// Its path.
    pub path: String,
    _ends: [OwnedFd; 2],
}

impl SilentTty {
    /// Opens one.
    ///
    /// # Errors
    /// The system has none left.
    pub fn open() -> Result<Self> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let host = openpt(flags).context("open a pseudo-terminal")?;
        grantpt(&host)?;
        unlockpt(&host)?;
        let path = ptsname(&host, Vec::new())?.into_string()?;
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let guest = rustix::fs::open(&path, flags, Mode::empty())?;
        Ok(Self { path, _ends: [host, guest] })
    }
}
