//! hostinfoctl, where a libvirtd is.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::host::Host;
use crate::libvirtd::{Libvirtd, path};
use crate::paths;

/// What the program said.
#[derive(Debug)]
pub struct Said {
    /// Its exit status; -1 where a signal ended it.
    pub status: i32,
    /// What it printed.
    pub stdout: String,
    /// What it complained of.
    pub stderr: String,
}

impl Said {
    /// What it printed, where all went well.
    ///
    /// # Errors
    /// It did not.
    pub fn well(self) -> Result<String> {
        ensure!(self.status == 0, "hostinfoctl fails: {self:?}");
        Ok(self.stdout)
    }

    /// What it complained of, where it ended with that status.
    ///
    /// # Errors
    /// It did not.
    pub fn ill(self, status: i32) -> Result<String> {
        ensure!(self.status == status, "not status {status}: {self:?}");
        Ok(self.stderr)
    }
}

/// Runs hostinfoctl for that host's directories.
///
/// # Errors
/// It cannot be run.
pub fn hostinfoctl(libvirtd: &Libvirtd, host: &Host, args: &[&str]) -> Result<Said> {
    let program = paths::program("hostinfoctl")?;
    paths::program("hostinfo-libvirt")?;
    run(libvirtd, host, &[path(&program)?], args)
}

/// The same with the words before it that run it in another way.
///
/// # Errors
/// It cannot be run.
pub fn run(libvirtd: &Libvirtd, host: &Host, program: &[&str], args: &[&str]) -> Result<Said> {
    let [nsenter, rest @ ..] = libvirtd.enter();
    let output = Command::new(nsenter)
        .args(rest)
        .arg("--pid")
        .args(program)
        .arg("--directory")
        .arg(host.sockets())
        .arg("--rules")
        .arg(host.rules())
        .args(args)
        .env_remove("LIBVIRT_DEFAULT_URI")
        .output()
        .context("run nsenter")?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(Said {
        status: output.status.code().unwrap_or(-1),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    })
}
