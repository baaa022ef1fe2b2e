//! Booted hosts on disk, bare and with the current build installed: made once, and restored in a few seconds,
//! whereas a boot takes half a minute, and an installation a quarter.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use rustix::fs::{FlockOperation, flock};
use tempfile::TempDir;

use super::payload::{self, Payload};
use super::spec::Spec;
use super::started::{PATIENCE, Started};
use crate::guest::qemu_version;
use crate::install::run;
use crate::paths;

/// A saved host depends on these in addition to the files of scripts/lab-root.
const INPUTS: [&str; 3] = [include_str!("qemu.rs"), AGENT, PREPARE];

const AGENT: &str = include_str!("agent.sh");
const PREPARE: &str = include_str!("prepare.sh");
const INSTALL: &str = include_str!("install.sh");

/// How often to try: some boots fail because of the emulation.
const BOOTS: u32 = 3;

/// The folder of labs. As long as somebody holds this value, none of its hosts is removed.
/// A host with guests takes all of a machine with two CPUs, so its holder is the only one.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    _lock: File,
}

/// A host that can be restored any number of times.
#[derive(Debug)]
pub(super) struct Saved {
    spec: Spec,
    /// The output of scripts/lab-root.
    pub(super) made: PathBuf,
    /// A layer above its disk.
    disk: PathBuf,
    memory: PathBuf,
}

impl Folder {
    /// Waits until those who may not run beside a host of `spec` have ended. Whoever finds nobody else removes what
    /// runs that were killed have left.
    pub(super) fn open(spec: Spec) -> Result<Self> {
        let path = paths::lab_cache()?;
        let lock = File::create(path.join("lock"))?;
        let is_alone = flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok();
        if is_alone {
            for entry in fs::read_dir(&path)? {
                let entry = entry?;
                if entry.file_name().to_string_lossy().starts_with(RUN) {
                    fs::remove_dir_all(entry.path())?;
                }
            }
        }
        if spec.guest_cpus().is_empty() {
            flock(&lock, FlockOperation::LockShared)?;
        } else if !is_alone {
            eprintln!("--- waiting until other labs have ended");
            flock(&lock, FlockOperation::LockExclusive)?;
        }
        Ok(Self { path, _lock: lock })
    }

    /// A folder for one run. It is removed when the value is dropped.
    pub(super) fn for_a_run(&self) -> Result<TempDir> {
        Ok(tempfile::Builder::new().prefix(RUN).tempdir_in(&self.path)?)
    }

    /// The folder for the remains of failed runs.
    pub(super) fn failed(&self) -> PathBuf {
        self.path.join("failed")
    }
}

const RUN: &str = "run-";

/// The folder of saved hosts, beside what scripts/lab-root makes.
const STATES: &str = "saved";

impl Saved {
    /// Finds the host with the current build installed, or makes it. Others wait meanwhile.
    pub(super) fn find(folder: &Folder, spec: Spec) -> Result<Self> {
        let lock = File::create(folder.path.join("lock.saved"))?;
        flock(&lock, FlockOperation::LockExclusive)?;
        let booted = Self::booted(folder, spec)?;
        let mut hasher = DefaultHasher::new();
        (INSTALL, &booted.memory).hash(&mut hasher);
        payload::hash_build(&mut hasher)?;
        let name = format!("{}-installed", spec.name());
        let (made, key) = (booted.made.clone(), hasher.finish());
        Self::of(spec, made, &name, key, |installed| booted.install(folder, installed))
    }

    /// Finds the host as it is after booting, or boots it.
    fn booted(folder: &Folder, spec: Spec) -> Result<Self> {
        let suite = spec.suite.name();
        let link = folder.path.join(suite);
        let made = link.canonicalize();
        let made = made.with_context(|| format!("no {}: `scripts/setup lab`", link.display()))?;
        fs::create_dir_all(made.join(STATES))?;
        let mut hasher = DefaultHasher::new();
        (INPUTS, spec.name(), qemu_version()?).hash(&mut hasher);
        Self::of(spec, made, &spec.name(), hasher.finish(), |booted| booted.boot(folder))
    }

    /// The host of that name and key. If it is not there, older ones of that name are removed, and it is made.
    fn of(
        spec: Spec,
        made: PathBuf,
        name: &str,
        key: u64,
        make: impl FnOnce(&Self) -> Result<()>,
    ) -> Result<Self> {
        let states = made.join(STATES);
        let [disk, memory] =
            ["disk", "memory"].map(|kind| states.join(format!("{name}-{key:016x}.{kind}")));
        let saved = Self { spec, made, disk, memory };
        if !saved.memory.exists() {
            throw_away(&states, name)?;
            make(&saved)?;
        }
        Ok(saved)
    }

    /// Restores it with that payload.
    pub(super) fn restore(&self, run: TempDir, payload: &Payload) -> Result<Started> {
        let disk = run.path().join("disk");
        layer(&disk, &self.disk, "qcow2")?;
        Started::start(self.spec, &self.made, &disk, payload.path(), run, Some(&self.memory))
    }

    fn boot(&self, folder: &Folder) -> Result<()> {
        let mut last = None;
        for _ in 0..BOOTS {
            match self.boot_and_save(folder) {
                Ok(()) => return Ok(()),
                Err(error) => last = Some(error),
            }
        }
        let error = last.context("no boot was tried")?;
        Err(error.context(format!("{} does not boot, tried {BOOTS} times", self.spec.name())))
    }

    fn boot_and_save(&self, folder: &Folder) -> Result<()> {
        let run = folder.for_a_run()?;
        let empty = Payload::empty(&run)?;
        layer(&self.disk, &self.made.join("disk"), "raw")?;
        let mut host = Started::start(self.spec, &self.made, &self.disk, empty.path(), run, None)?;
        let booted = (|| {
            host.shell.say(AGENT)?;
            host.shell.wait_for_boot(PATIENCE)?;
            host.shell.run(PREPARE, PATIENCE)
        })();
        let prepared = booted.with_context(|| host.story())?;
        if prepared.status != 0 {
            bail!("the host does not come up: {prepared:?}");
        }
        self.keep(host)
    }

    /// Installs the current build in this host, for `installed`.
    fn install(&self, folder: &Folder, installed: &Self) -> Result<()> {
        let run = folder.for_a_run()?;
        let payload = Payload::build(&run, &self.made, self.spec)?;
        layer(&installed.disk, &self.disk, "qcow2")?;
        let memory = Some(self.memory.as_path());
        let (spec, made, disk) = (self.spec, &self.made, &installed.disk);
        let mut host = Started::start(spec, made, disk, payload.path(), run, memory)?;
        let output = host.shell.run(&format!("{}\n{INSTALL}", set_clock()?), PATIENCE);
        let output = output.with_context(|| host.story())?;
        if output.status != 0 {
            bail!(
                "what was built cannot be installed there, or was built on a newer Debian: {output:?}"
            );
        }
        installed.keep(host)
    }

    /// Saves it. It only gets its final name when it is complete.
    fn keep(&self, host: Started) -> Result<()> {
        let partial = self.memory.with_extension("partial");
        host.save(&partial)?;
        Ok(fs::rename(&partial, &self.memory)?)
    }
}

/// The command that sets a restored host's clock.
pub(super) fn set_clock() -> Result<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    Ok(format!("date -s @{now}"))
}

/// A layer that takes all writes, above a disk that stays unchanged.
fn layer(above: &Path, below: &Path, format: &str) -> Result<()> {
    let _ = fs::remove_file(above);
    let mut command = Command::new("qemu-img");
    command.args(["create", "-q", "-f", "qcow2", "-F", format, "-b"]);
    run(command.arg(below).arg(above)).map(drop)
}

/// Removes outdated hosts of that name.
fn throw_away(states: &Path, name: &str) -> Result<()> {
    for entry in fs::read_dir(states)? {
        let entry = entry?;
        let rest = entry.file_name().to_string_lossy().strip_prefix(name).map(str::to_owned);
        if rest.is_some_and(|rest| rest.starts_with('-')) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
