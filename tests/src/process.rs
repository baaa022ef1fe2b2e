//! Programs that end when the test does.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit, setrlimit};

use crate::deadline::wait_for;

/// Lets this process have as many open files as it may have without privileges.
///
/// # Errors
/// The kernel refuses.
pub fn raise_open_files() -> Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?)
}

/// Permits a process to open files, up to this process's own maximum, or none: the limit is one of their numbers,
/// getrlimit(2), so those that it closes would be free again unless it is as low as can be.
///
/// # Errors
/// There is no such process, or the kernel refuses.
pub fn permit_files(pid: u32, permit: bool) -> Result<()> {
    /// Descriptors that every process has.
    const STANDARD: u64 = 3;
    let pid = Pid::from_raw(pid.cast_signed()).context("no process")?;
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let current = if permit { maximum } else { Some(STANDARD) };
    prlimit(Some(pid), Resource::Nofile, Rlimit { current, maximum })?;
    Ok(())
}

/// Writes a script that can be executed, often in the place of a program.
///
/// # Errors
/// The file cannot be written.
pub fn write_script(path: &Path, text: impl AsRef<[u8]>) -> Result<()> {
    fs::write(path, text)?;
    Ok(fs::set_permissions(path, Permissions::from_mode(0o755))?)
}

/// A running program whose output goes to a file. It is killed when this value is dropped, and by
/// the kernel when the thread that started it ends in any other way.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
}

/// A command whose process dies with the thread that starts it, but not from a Ctrl-C that is meant
/// for that.
pub fn tied(program: impl AsRef<Path>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program.as_ref()).process_group(0);
    command
}

impl Process {
    /// Starts `command`, which must come from [`tied`], with its output and errors in the file
    /// `log`.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(command: &mut Command, log: PathBuf) -> Result<Self> {
        let file = File::create(&log).with_context(|| format!("make {}", log.display()))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("start {command:?}"))?;
        Ok(Self { child, log })
    }

    /// The process number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its output so far.
    pub fn log(&self) -> String {
        std::fs::read(&self.log)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// Its exit status, if it has ended.
    ///
    /// # Errors
    /// The kernel does not report it.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Waits for it to end.
    ///
    /// # Errors
    /// It runs for longer than `within`.
    pub fn wait(&mut self, within: Duration) -> Result<ExitStatus> {
        wait_for("the end of a program", within, || Ok(self.child.try_wait()?))
            .with_context(|| format!("process {} said:\n{}", self.pid(), self.log()))
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// The process has ended.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        kill_process(Pid::from_child(&self.child), signal).context("send a signal")
    }

    /// `kill -9`, and waits until it is gone.
    ///
    /// # Errors
    /// The kernel does not report that it has ended.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // If it had already ended, that is just as good.
        let _ = self.kill();
    }
}
