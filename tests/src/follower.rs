//! `hostinfoctl enable --follow` as a process.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use anyhow::{Context as _, Result};

use crate::ctl;
use crate::deadline::{PATIENCE, wait_until};
use crate::host::Host;
use crate::libvirtd::Libvirtd;
use crate::process::{Process, tied};

/// A running hostinfoctl that follows guests. It is killed when this value is dropped.
#[derive(Debug)]
pub struct Follower {
    process: Process,
    /// The file with its number in the namespaces of its libvirtd.
    pid: PathBuf,
}

impl Follower {
    /// Starts it in the namespaces of that libvirtd, and waits until it knows which guests there are.
    ///
    /// # Errors
    /// It does not.
    pub fn start(libvirtd: &Libvirtd, host: &Host, words: &[&str]) -> Result<Self> {
        let follower = Self::launch(libvirtd, host, words)?;
        follower.wait_for_log("libvirt answers")?;
        Ok(follower)
    }

    /// Starts it in the namespaces of that libvirtd.
    ///
    /// # Errors
    /// It was not built.
    pub fn launch(libvirtd: &Libvirtd, host: &Host, words: &[&str]) -> Result<Self> {
        Self::launch_program(&ctl::program()?, libvirtd, host, words)
    }

    /// The same with another hostinfoctl, such as one that has another helper beside it.
    ///
    /// # Errors
    /// It cannot be run.
    pub fn launch_program(
        program: &Path,
        libvirtd: &Libvirtd,
        host: &Host,
        words: &[&str],
    ) -> Result<Self> {
        // Another one may be there already.
        let number = (0u32..)
            .find(|number| !host.path().join(format!("follower-{number}.log")).exists())
            .unwrap_or_default();
        let pid = host.path().join(format!("follower-{number}.pid"));
        let [nsenter, rest @ ..] = libvirtd.enter();
        let mut command = tied(nsenter);
        // nsenter starts another process, which has to end with it, and whose number it does not tell.
        command.args(rest).args(["--pid", "setpriv", "--pdeathsig", "KILL", "--"]);
        command.args(["sh", "-c", "echo $$ >\"$0\" && exec \"$@\""]).arg(&pid);
        command.arg(program).args(ctl::options(host)).args(["enable", "--follow"]).args(words);
        command.env_remove("LIBVIRT_DEFAULT_URI");
        let process =
            Process::start(&mut command, host.path().join(format!("follower-{number}.log")))?;
        Ok(Self { process, pid })
    }

    /// What it has written.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Waits until it has written that.
    ///
    /// # Errors
    /// It never does.
    pub fn wait_for_log(&self, text: &str) -> Result<()> {
        let is_there = || Ok(self.log().contains(text));
        wait_until(text, PATIENCE, is_there).with_context(|| format!("it said:\n{}", self.log()))
    }

    /// Waits until it has given these guests their channels.
    ///
    /// # Errors
    /// It never does.
    pub fn wait_for_guests(&self, names: &[&str]) -> Result<()> {
        names.iter().try_for_each(|name| self.wait_for_log(&format!("qemu-{name}: enabled: ")))
    }

    /// How often it has given that guest a channel.
    pub fn count(&self, name: &str) -> usize {
        let begin = format!("qemu-{name}: enabled: ");
        self.log().lines().filter(|line| line.starts_with(&begin)).count()
    }

    /// Sends it SIGTERM and returns its exit status.
    ///
    /// # Errors
    /// It does not end.
    pub fn stop(mut self, libvirtd: &Libvirtd) -> Result<ExitStatus> {
        let pid = fs::read_to_string(&self.pid)?;
        libvirtd.shell(&format!("kill -TERM {}", pid.trim()))?;
        self.wait()
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// It does not end.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        self.process.wait(PATIENCE)
    }
}
