//! A separate host for each test: its folders, its rules, its daemons.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use hostinfo_control::Client;
use tempfile::TempDir;

use crate::daemon::Daemon;
use crate::libvirtd::Libvirtd;
use crate::paths;
use crate::process::{Process, tied};

/// Rules under which a guest may ask for everything as often as it likes.
pub const EVERYTHING: &str = "*:\n  interval = 0\n  all = 1\n";

/// The folders of one host, removed at the end. It outlives its daemons, so that a test can kill
/// one and start another.
#[derive(Debug)]
pub struct Host {
    folder: TempDir,
    sockets: PathBuf,
    /// Where the daemon's program is, if it is not where it was built.
    programs: Option<PathBuf>,
}

impl Host {
    /// A host with these rules, and without a daemon.
    ///
    /// # Errors
    /// Its folders cannot be created.
    pub fn new(rules: &str) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("hostinfo-").tempdir()?;
        let sockets = folder.path().join("sockets");
        fs::create_dir(&sockets)?;
        let host = Self { folder, sockets, programs: None };
        fs::create_dir(host.state())?;
        fs::create_dir(host.etc())?;
        host.write_rules(rules)?;
        host.write_config("")?;
        Ok(host)
    }

    /// The host's whole folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Endless loops that compete with everything else on this machine, four for each CPU, until
    /// they are dropped.
    ///
    /// # Errors
    /// There is no shell.
    pub fn keep_busy(&self) -> Result<Vec<Process>> {
        let loops = 4 * std::thread::available_parallelism().map_or(1, usize::from);
        (0..loops)
            .map(|number| {
                let mut command = tied("/bin/sh");
                command.args(["-c", "while :; do :; done"]);
                Process::start(&mut command, self.path().join(format!("loop-{number}.log")))
            })
            .collect()
    }

    /// The folder of guests' sockets; on a real host, `/var/lib/hostinfo`.
    pub fn sockets(&self) -> PathBuf {
        self.sockets.clone()
    }

    /// The same host with a daemon that finds sockets in a directory that others have too, each in
    /// its own namespace.
    pub fn with_sockets_in(mut self, directory: &Path) -> Self {
        directory.clone_into(&mut self.sockets);
        self
    }

    /// The same host with a daemon whose program is in that folder, as its helper's is.
    pub fn with_programs_in(mut self, folder: &Path) -> Self {
        self.programs = Some(folder.to_owned());
        self
    }

    /// The socket of the guest with that name, named as for QEMU's domains.
    pub fn socket(&self, name: &str) -> PathBuf {
        self.sockets().join(format!("qemu-{name}"))
    }

    /// The folder for what must outlive the daemon.
    pub fn state(&self) -> PathBuf {
        self.path().join("state")
    }

    /// The folder of the rules and the daemon's settings; on a real host, `/etc/hostinfo`.
    pub fn etc(&self) -> PathBuf {
        self.path().join("etc")
    }

    /// The rules.
    pub fn rules(&self) -> PathBuf {
        self.etc().join("hostinfo.conf")
    }

    /// The daemon's settings.
    pub fn config(&self) -> PathBuf {
        self.etc().join("hostinfod.toml")
    }

    /// The control socket.
    pub fn control(&self) -> PathBuf {
        self.path().join("control")
    }

    /// Connects to the daemon as its administrator.
    ///
    /// # Errors
    /// It refuses the connection.
    pub fn client(&self) -> Result<Client> {
        Ok(Client::connect(&self.control(), hostinfo_control::limits::DEADLINE)?)
    }

    /// Writes the rules in place, like `>` in a shell.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_rules(&self, rules: &str) -> Result<()> {
        fs::write(self.rules(), rules).context("write the rules")
    }

    /// Writes the daemon's settings, which it reads at its start.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_config(&self, settings: &str) -> Result<()> {
        fs::write(self.config(), settings).context("write the daemon's settings")
    }

    /// Starts a daemon and waits until it is ready.
    ///
    /// # Errors
    /// It does not.
    pub fn start_daemon(&self) -> Result<Daemon> {
        let mut daemon = self.launch_daemon()?;
        daemon.wait_until_ready()?;
        Ok(daemon)
    }

    /// Starts a daemon with another variable in its environment, `NAME=VALUE`, and waits until it is ready.
    ///
    /// # Errors
    /// It does not become ready.
    pub fn start_daemon_with(&self, variable: &str) -> Result<Daemon> {
        let mut daemon = self.launch(&["env", variable], &[])?;
        daemon.wait_until_ready()?;
        Ok(daemon)
    }

    /// Starts a daemon that also serves a pseudo-terminal, and waits until it is ready. The path of the
    /// pseudo-terminal comes with it.
    ///
    /// # Errors
    /// It does not become ready.
    pub fn start_daemon_with_pty(&self) -> Result<(Daemon, String)> {
        let mut daemon = self.launch(&[], &["--pty"])?;
        daemon.wait_until_ready()?;
        let log = daemon.log();
        let path = log.lines().find(|line| line.starts_with("/dev/pts/"));
        Ok((daemon, path.with_context(|| format!("no pseudo-terminal in {log}"))?.to_owned()))
    }

    /// Starts a daemon in the namespaces of that libvirtd, and waits until it is ready. It cannot
    /// be asked to end.
    ///
    /// # Errors
    /// It does not.
    pub fn start_daemon_beside(&self, libvirtd: &Libvirtd) -> Result<Daemon> {
        // nsenter starts another process, which has to end with it.
        let enter = [&libvirtd.enter()[..], &["--pid", "setpriv", "--pdeathsig", "KILL", "--"]];
        let mut daemon = self.launch(&enter.concat(), &[])?;
        daemon.wait_until_ready()?;
        Ok(daemon)
    }

    /// Starts a daemon as that user, in that user's group and no other, to whom the host's folders are given.
    /// Waits until it is ready.
    ///
    /// # Errors
    /// It does not become ready, or this is not run by root.
    pub fn start_daemon_as(&self, user: u32) -> Result<Daemon> {
        for folder in [self.path(), &self.sockets, &self.state()] {
            chown(folder, Some(user), Some(user)).context("these tests run as root")?;
        }
        for readable in [self.path().to_owned(), self.etc(), self.rules(), self.config()] {
            fs::set_permissions(readable, Permissions::from_mode(0o755))?;
        }
        let (user, group) = (format!("--reuid={user}"), format!("--regid={user}"));
        // Another user's process loses what it is tied by.
        let become_user = ["setpriv", &user, &group, "--clear-groups", "--pdeathsig", "KILL", "--"];
        let mut daemon = self.launch(&become_user, &[])?;
        daemon.wait_until_ready()?;
        Ok(daemon)
    }

    /// Starts a daemon that may fail before it is ready.
    ///
    /// # Errors
    /// There is no daemon to start.
    pub fn launch_daemon(&self) -> Result<Daemon> {
        self.launch(&[], &[])
    }

    /// The same after the words of another command, which has to end with the daemon.
    ///
    /// # Errors
    /// There is no daemon to start.
    pub fn launch_daemon_within(&self, enter: &[&str]) -> Result<Daemon> {
        self.launch(enter, &[])
    }

    fn launch(&self, enter: &[&str], options: &[&str]) -> Result<Daemon> {
        let paths = [
            ("--config", self.config()),
            ("--rules", self.rules()),
            ("--socket-dir", self.sockets()),
            ("--state-dir", self.state()),
            ("--control", self.control()),
        ];
        let paths = paths.iter().flat_map(|(flag, path)| [flag.as_ref(), path.as_os_str()]);
        let arguments: Vec<&OsStr> = paths.chain(options.iter().map(OsStr::new)).collect();
        let program = match &self.programs {
            Some(folder) => folder.join("hostinfod"),
            None => paths::program("hostinfod")?,
        };
        Daemon::launch(self.path(), &program, &arguments, enter)
    }
}
