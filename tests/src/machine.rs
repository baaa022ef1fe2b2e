//! A Debian of its own with systemd as its first process, libvirt as one of its services, and
//! hostinfo as `make install` lays it out. It needs root, shares this machine's kernel and
//! network, and ends with all that runs in it when this value is dropped.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use crate::deadline::{PATIENCE, wait_for, wait_until};
use crate::guest::Libvirt;
use crate::install::{Install, run};
use crate::paths;
use crate::process::{Process, tied};

const BOOT: &str = include_str!("boot.sh");

/// Where the unified hierarchy of control groups is, beside others or alone.
const CGROUPS: [&str; 2] = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"];

/// A running machine.
#[derive(Debug)]
pub struct Machine {
    process: Process,
    /// Its first process, as this side numbers it.
    leader: String,
    /// Its root directory, as this side sees it.
    root: PathBuf,
    cgroup: PathBuf,
    _folder: TempDir,
}

impl Machine {
    /// Installs hostinfo into a fresh Debian and boots it. The service is not started.
    ///
    /// # Errors
    /// It does not boot, `scripts/setup test` was not run, or this is not root.
    pub fn boot() -> Result<Self> {
        if !rustix::process::geteuid().is_root() {
            bail!("a machine of one's own needs root: sudo -E env PATH=\"$PATH\" make test");
        }
        let debian = paths::workspace().join("target/booted/root").canonicalize();
        let debian = debian.context("no target/booted/root: `scripts/setup test`")?;
        let folder = tempfile::Builder::new().prefix("hostinfo-machine-").tempdir()?;
        Install::prepare()?.make("install", "/usr/local", &folder.path().join("installed"))?;
        let name = folder.path().file_name().context("a folder has a name")?;
        let cgroups = CGROUPS.iter().find(|path| Path::new(path).join("cgroup.procs").exists());
        let cgroup = Path::new(cgroups.context("there is no cgroup v2")?).join(name);
        fs::create_dir(&cgroup)?;

        let script = folder.path().join("boot.sh");
        fs::write(&script, BOOT)?;
        let mut command = tied("unshare");
        command.args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh"]);
        command.arg(script).arg(debian).arg(&cgroup);
        let process = Process::start(&mut command, folder.path().join("log"))?;
        let mut machine =
            Self { process, leader: String::new(), root: PathBuf::new(), cgroup, _folder: folder };
        machine.wait_until_booted().with_context(|| machine.process.log())?;
        Ok(machine)
    }

    fn wait_until_booted(&mut self) -> Result<()> {
        let nspawn = only_child(&self.process.pid().to_string(), "systemd-nspawn")?;
        self.leader = only_child(&nspawn, "systemd")?;
        self.root = format!("/proc/{}/root", self.leader).into();
        wait_until("the machine to boot", PATIENCE, || {
            // It says so, and fails all the same where a unit has failed that nobody misses.
            let told = self.command(&["systemctl", "is-system-running"]).output()?.stdout;
            Ok(matches!(told.trim_ascii(), b"running" | b"degraded"))
        })
    }

    /// A program in the machine, as root and outside of every unit's sandbox.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = tied("nsenter");
        command.args(["--all", "--target", &self.leader, "--"]).args(words);
        command
    }

    /// What a line of shell prints in the machine.
    ///
    /// # Errors
    /// It fails.
    pub fn shell(&self, line: &str) -> Result<String> {
        run(&mut self.command(&["sh", "-c", line]))
    }

    /// A property of the service, as `systemctl show` has it.
    ///
    /// # Errors
    /// systemd does not answer.
    pub fn property(&self, name: &str) -> Result<String> {
        let value = self.shell(&format!("systemctl show --value --property={name} hostinfo"))?;
        Ok(value.trim().to_owned())
    }

    /// What the service has logged, and systemd of it.
    ///
    /// # Errors
    /// There is no journal.
    pub fn journal(&self) -> Result<String> {
        self.shell("journalctl --no-pager --output=cat --unit=hostinfo")
    }

    /// Waits until the journal holds `text`.
    ///
    /// # Errors
    /// It does not come.
    pub fn wait_for_journal(&self, text: &str) -> Result<()> {
        wait_until(text, PATIENCE, || Ok(self.journal()?.contains(text)))
    }

    /// Where a path of the machine is for this side.
    pub fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// Writes a file of the machine, that all may read.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, path: &str, text: &str) -> Result<()> {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap_or(&self.root))?;
        fs::write(&path, text).with_context(|| format!("write {}", path.display()))
    }

    /// Changes the service as `systemctl edit` does, and starts it anew.
    ///
    /// # Errors
    /// It does not start.
    pub fn restart_with(&self, drop_in: &str) -> Result<()> {
        self.write("/etc/systemd/system/hostinfo.service.d/test.conf", drop_in)?;
        self.shell("systemctl daemon-reload && systemctl restart hostinfo").map(drop)
    }
}

impl Libvirt for Machine {
    fn inside(&self) -> &Path {
        Path::new("/srv")
    }

    fn outside(&self) -> PathBuf {
        self.path("/srv")
    }

    fn virsh(&self, args: &[&str]) -> Result<String> {
        run(&mut self.command(&[&["virsh", "-c", "qemu:///system"], args].concat()))
    }
}

/// Waits until a process has a child of that name.
fn only_child(parent: &str, name: &str) -> Result<String> {
    let children = format!("/proc/{parent}/task/{parent}/children");
    wait_for(name, PATIENCE, || {
        let children = fs::read_to_string(&children)?;
        let is_it = |child: &&str| {
            let comm = fs::read_to_string(format!("/proc/{child}/comm")).unwrap_or_default();
            comm.trim_end() == name
        };
        Ok(children.split_whitespace().find(is_it).map(str::to_owned))
    })
}

impl Drop for Machine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the service said:\n{}", self.journal().unwrap_or_default());
        }
        // Gone already is as good as killed. Its groups are empty only some time after it.
        let _ = self.process.kill();
        let _ = wait_until("the machine to end", PATIENCE, || {
            let mut find = Command::new("find");
            find.arg(&self.cgroup).args(["-depth", "-type", "d", "-delete"]);
            let _ = find.output();
            Ok(!self.cgroup.exists())
        });
    }
}
