//! What faults are made in: a host, its daemon, libvirt or a fake helper, and the crowd of guests.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use fastrand::Rng;
use hostinfo_control::LibvirtState;
use rustix::process::{Pid, Signal, kill_process};

use super::crowd::{Command, Order};
use super::excuse::Harm;
use super::guest::Number;
use super::in_force::{Grant, Rules};
use super::judge::{LEFT, RIGHT};
use super::lie::Lie;
use super::situation::Situation;
use crate::daemon::Daemon;
use crate::deadline::{PATIENCE, wait_until};
use crate::host::Host;
use crate::libvirtd::Libvirtd;
use crate::paths;
use crate::process::{Process, tied};

/// The size of the file system that holds the daemon's state, so that a fault can fill it: the secret, notices and
/// incidents take some KiB.
const STATE_SIZE: &str = "size=256k";

/// Which libvirt there is.
#[derive(Debug)]
pub enum Libvirt {
    /// A helper that speaks for all guests, in a folder with a copy of the daemon.
    Fake(PathBuf),
    /// A real one, which knows none of the guests, and one domain besides.
    Real(Libvirtd),
}

/// The daemon under test, and everything around it that faults change.
pub struct World {
    /// Its folders.
    pub host: Host,
    /// The daemon, while there is one.
    pub daemon: Option<Daemon>,
    /// libvirt.
    pub libvirt: Libvirt,
    /// What comes at random, by the seed.
    pub rng: Rng,
    /// By how many seconds the daemon's clocks are ahead of ours.
    pub ahead: u64,
    /// Processes that keep namespaces.
    pub keepers: BTreeMap<&'static str, Process>,
    situation: Arc<Mutex<Situation>>,
    crowd: Sender<Order>,
}

impl World {
    /// Starts the daemon of a host on which everything is right.
    ///
    /// # Errors
    /// It does not start, or this is not run by root.
    pub(crate) fn start(
        host: Host,
        libvirt: Libvirt,
        rng: Rng,
        situation: Arc<Mutex<Situation>>,
        crowd: Sender<Order>,
    ) -> Result<Self> {
        let (daemon, keepers) = (None, BTreeMap::new());
        let mut world = Self { host, daemon, libvirt, rng, ahead: 0, keepers, situation, crowd };
        // For its clock to leap, the daemon itself has to enter a time namespace: seccomp refuses the call, and
        // Landlock the look at the process that is in it. Beside a real libvirtd the daemon is confined.
        let (security, uri) = match &world.libvirt {
            Libvirt::Fake(_) => {
                ("[security]\nlandlock = false\nseccomp = false\n", "test:///chaos")
            }
            Libvirt::Real(_) => ("", hostinfo_domains::URI),
        };
        world.host.write_config(&format!(
            "{security}[libvirt]\nuri = '{uri}'\n[labels]\nleft = '{LEFT}'\nright = '{RIGHT}'\n"
        ))?;
        if matches!(world.libvirt, Libvirt::Fake(_)) {
            world.keep_small_state()?;
        }
        world.start_daemon()?;
        Ok(world)
    }

    /// A mount namespace in which the state directory is a small file system. It is kept by a process, so that it
    /// outlives the daemon and not the test.
    fn keep_small_state(&mut self) -> Result<()> {
        let mut command = tied("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c"]);
        command.arg(format!(
            "mount -t tmpfs -o {STATE_SIZE} none \"$0\" && echo ready && exec sleep infinity"
        ));
        command.arg(self.host.state());
        let keeper = Process::start(&mut command, self.host.path().join("state.log"))?;
        wait_until("a file system", PATIENCE, || Ok(keeper.log().contains("ready")))
            .with_context(|| format!("the chaos test is run by root: {}", keeper.log()))?;
        self.keepers.insert("state", keeper);
        Ok(())
    }

    /// The state directory as the daemon sees it.
    pub fn state(&self) -> Result<PathBuf> {
        let keeper = self.keepers.get("state").context("no small state")?;
        let path = self.host.state();
        let inside = path.strip_prefix("/").unwrap_or(&path);
        Ok(PathBuf::from(format!("/proc/{}/root", keeper.pid())).join(inside))
    }

    /// Starts a daemon and waits until it serves.
    ///
    /// # Errors
    /// It does not.
    pub fn start_daemon(&mut self) -> Result<()> {
        let daemon = match &self.libvirt {
            Libvirt::Real(libvirtd) => self.host.start_daemon_beside(libvirtd)?,
            Libvirt::Fake(_) => {
                let mut daemon = self.launch_daemon()?;
                daemon.wait_until_ready()?;
                daemon
            }
        };
        self.situation().daemon = Some(process_of(&daemon, &self.libvirt)?);
        self.daemon = Some(daemon);
        self.ahead = 0;
        Ok(())
    }

    /// Starts a daemon beside the fake helper, and does not wait.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn launch_daemon(&self) -> Result<Daemon> {
        let keeper = self.keepers.get("state").context("no small state")?;
        let namespace = format!("--mount=/proc/{}/ns/mnt", keeper.pid());
        self.host.launch_daemon_within(&["nsenter", &namespace, "--"])
    }

    /// The daemon's own process.
    ///
    /// # Errors
    /// There is none.
    pub fn pid(&self) -> Result<u32> {
        self.situation().daemon.context("no daemon runs")
    }

    /// Sends a signal to the daemon.
    ///
    /// # Errors
    /// There is none.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = Pid::from_raw(self.pid()?.cast_signed()).context("no process")?;
        Ok(kill_process(pid, signal)?)
    }

    /// What guests see.
    pub(crate) fn situation(&self) -> MutexGuard<'_, Situation> {
        self.situation.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the guests do something, and returns when they have.
    pub(crate) fn order(&self, command: Command) -> Result<bool> {
        let (done, is_done) = channel();
        self.crowd.send((command, done)).ok().context("the crowd has ended")?;
        is_done.recv().context("the crowd has ended")?
    }

    /// Has the fake helper lie, or be honest.
    ///
    /// # Errors
    /// There is none.
    pub fn lie(&mut self, lie: Option<Lie>) -> Result<()> {
        Lie::tell(lie, self.helper()?)
    }

    /// The fake helper's folder.
    ///
    /// # Errors
    /// There is none.
    pub fn helper(&self) -> Result<&PathBuf> {
        match &self.libvirt {
            Libvirt::Fake(folder) => Ok(folder),
            Libvirt::Real(_) => bail!("the helper is a real one"),
        }
    }

    /// Other rules than the last ones.
    pub fn other_rules(&mut self) -> Rules {
        const GRANTS: [Grant; 4] = [Grant::Left, Grant::Right, Grant::Left, Grant::Blocked];
        let last = self.situation().history.last();
        let has_tags = matches!(self.libvirt, Libvirt::Fake(_));
        loop {
            let mut grant = || self.rng.choice(GRANTS).unwrap_or(Grant::Left);
            let (even, odd) = (grant(), grant());
            let rules = Rules { even, odd, by_tag: has_tags && self.rng.bool() };
            if Some(rules) != last {
                return rules;
            }
        }
    }

    /// Waits until libvirt is known to answer and the last rules are in force, and then until each guest has asked in
    /// peace.
    ///
    /// # Errors
    /// The system fails. What does not come back in time is a breach.
    pub(crate) fn calm_down(&self) -> Result<()> {
        let begun = Instant::now();
        let (mut is_up, mut calm_since) = (false, None);
        loop {
            ensure!(begun.elapsed() < PATIENCE, "the guests are never all served");
            std::thread::sleep(Duration::from_millis(20));
            if !self.situation().breaches.is_empty() {
                return Ok(());
            }
            let now = Instant::now();
            if self.excuses(Harm::Waiting, now) {
                continue;
            }
            if !is_up {
                is_up = self.is_libvirt_up();
                match (is_up, self.excuses(Harm::Libvirt, now)) {
                    (true, _) => self.situation().libvirt_answers(now),
                    (false, true) => {}
                    (false, false) => {
                        self.situation().breach("libvirt does not come back".to_owned());
                    }
                }
            }
            if !is_up || !self.situation().history.is_settled() {
                continue;
            }
            if self.order(Command::AreAllServed(*calm_since.get_or_insert(now)))? {
                return Ok(());
            }
        }
    }

    fn excuses(&self, harm: Harm, now: Instant) -> bool {
        self.situation().excuses.covers(harm, now)
    }

    fn is_libvirt_up(&self) -> bool {
        let status = self.host.client().ok().and_then(|mut client| client.status().ok());
        status.is_some_and(|status| status.libvirt.state == LibvirtState::Up)
    }
}

/// The folder with a copy of the daemon and a fake helper for that many guests.
pub(crate) fn fake_helper(host: &Host, guests: Number) -> Result<PathBuf> {
    let folder = host.path().join("bin");
    fs::create_dir(&folder)?;
    for (program, name) in [("hostinfod", "hostinfod"), ("fake-helper", hostinfo_domains::PROGRAM)]
    {
        fs::copy(paths::program(program)?, folder.join(name))?;
        fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o755))?;
    }
    fs::write(folder.join("guests"), guests.to_string())?;
    Ok(folder)
}

/// The daemon's own process: beside a libvirtd it is the child of what has entered the namespaces.
fn process_of(daemon: &Daemon, libvirt: &Libvirt) -> Result<u32> {
    let pid = daemon.pid();
    if matches!(libvirt, Libvirt::Fake(_)) {
        return Ok(pid);
    }
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    let child = children.split_whitespace().next().context("no daemon in the namespaces")?;
    Ok(child.parse()?)
}
