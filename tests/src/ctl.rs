//! Runs hostinfoctl for the directories of a test's host.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::host::Host;
use crate::libvirtd::{Libvirtd, path};
use crate::paths;
use crate::process::{tied, write_script};

/// A program that has ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit status; -1 if a signal ended it.
    pub status: i32,
    /// Its stdout.
    pub stdout: String,
    /// Its stderr.
    pub stderr: String,
}

impl Ended {
    /// Its stdout, if it succeeded.
    ///
    /// # Errors
    /// It failed.
    pub fn succeeds(self) -> Result<String> {
        ensure!(self.status == 0, "hostinfoctl fails: {self:?}");
        Ok(self.stdout)
    }

    /// Its stderr, if it ended with that status.
    ///
    /// # Errors
    /// It ended with another status.
    pub fn fails_with(self, status: i32) -> Result<String> {
        ensure!(self.status == status, "not status {status}: {self:?}");
        Ok(self.stderr)
    }
}

/// Runs hostinfoctl for that host's directories, in the namespaces of a libvirtd.
///
/// # Errors
/// It cannot be run.
pub fn hostinfoctl(libvirtd: &Libvirtd, host: &Host, args: &[&str]) -> Result<Ended> {
    run(libvirtd, host, &[path(&program()?)?], args)
}

/// The same, with words in front that run it in another way.
///
/// # Errors
/// It cannot be run.
pub fn run(libvirtd: &Libvirtd, host: &Host, program: &[&str], args: &[&str]) -> Result<Ended> {
    let [nsenter, rest @ ..] = libvirtd.enter();
    let mut command = Command::new(nsenter);
    command.args(rest).arg("--pid").args(program);
    output(command.args(options(host)).args(args))
}

/// hostinfoctl for that host's directories, with libvirt's own test driver instead of a libvirtd,
/// which has one guest, `test`.
///
/// # Errors
/// It was not built.
pub fn command(host: &Host, args: &[&str]) -> Result<Command> {
    let mut command = tied(program()?);
    command.args(options(host)).args(["-c", "test:///default"]).args(args);
    Ok(command)
}

/// Runs [`command`].
///
/// # Errors
/// It cannot be run.
pub fn alone(host: &Host, args: &[&str]) -> Result<Ended> {
    output(&mut command(host, args)?)
}

/// Runs [`command`] with `--json`, and parses what it prints.
///
/// # Errors
/// It cannot be run, fails, or prints something else.
pub fn json(host: &Host, args: &[&str]) -> Result<serde_json::Value> {
    Ok(serde_json::from_str(&alone(host, &[args, &["--json"]].concat())?.succeeds()?)?)
}

/// The same, with programs in `folder` before those of the same names.
///
/// # Errors
/// It cannot be run.
pub fn alone_with_programs(host: &Host, folder: &Path, args: &[&str]) -> Result<Ended> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(folder.to_owned()).chain(std::env::split_paths(&path));
    output(command(host, args)?.env("PATH", std::env::join_paths(folders)?))
}

/// The path of hostinfoctl.
///
/// # Errors
/// It was not built.
pub fn program() -> Result<PathBuf> {
    paths::program("hostinfo-libvirt")?;
    paths::program("hostinfoctl")
}

/// Stands between hostinfoctl and its helper, and does something just before each change.
const MEDDLER: &str = "#!/bin/sh
trap : HUP INT TERM
{
    trap : HUP INT TERM
    while read -r order; do
        case $order in *change*) MEDDLE ;; esac
        printf '%s\\n' \"$order\"
    done
} | HELPER \"$@\"
";

/// Where a hostinfoctl is whose helper has a meddler before it: a shell command that sees the order to change
/// something in `$order`.
///
/// # Errors
/// It was not built.
pub fn meddled(libvirtd: &Libvirtd, meddle: &str) -> Result<PathBuf> {
    let program = libvirtd.folder().join("hostinfoctl");
    fs::copy(paths::program("hostinfoctl")?, &program)?;
    let helper = paths::program("hostinfo-libvirt")?;
    let meddler = program.with_file_name("hostinfo-libvirt");
    write_script(&meddler, MEDDLER.replace("MEDDLE", meddle).replace("HELPER", path(&helper)?))?;
    Ok(program)
}

/// The options for that host's directories.
pub(crate) fn options(host: &Host) -> [OsString; 8] {
    let of = |option: &str, path: PathBuf| [option.into(), path.into()];
    let [d, directory] = of("--socket-dir", host.sockets());
    let [r, rules] = of("--rules", host.rules());
    let [c, control] = of("--control", host.control());
    let [s, settings] = of("--config", host.config());
    [d, directory, r, rules, c, control, s, settings]
}

/// Runs such a command.
///
/// # Errors
/// It cannot be run.
pub fn output(command: &mut Command) -> Result<Ended> {
    let output = command.env_remove("LIBVIRT_DEFAULT_URI").output().context("run hostinfoctl")?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(Ended {
        status: output.status.code().unwrap_or(-1),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    })
}
