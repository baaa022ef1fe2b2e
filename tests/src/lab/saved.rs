//! Booted hosts on disk: made once, and restored in a few seconds, whereas a boot takes half a
//! minute.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use rustix::fs::{FlockOperation, flock};
use tempfile::TempDir;

use super::payload::Payload;
use super::spec::Spec;
use super::started::{PATIENCE, Started};
use crate::guest::qemu_version;
use crate::install::run;
use crate::paths;

/// A saved host depends on these in addition to the files of scripts/lab-root.
const INPUTS: [&str; 3] = [include_str!("qemu.rs"), AGENT, PREPARE];

const AGENT: &str = include_str!("agent.sh");
const PREPARE: &str = include_str!("prepare.sh");

/// How often to try: some boots fail because of the emulation.
const BOOTS: u32 = 3;

/// The folder of labs. Whoever holds this value has it exclusively, since a lab takes all of a
/// machine with two CPUs.
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
    /// Waits until no other lab runs.
    pub(super) fn lock() -> Result<Self> {
        let path = paths::lab_cache()?;
        let lock = File::create(path.join("lock"))?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            eprintln!("--- waiting until another lab has ended");
            flock(&lock, FlockOperation::LockExclusive)?;
        }
        // Left over from runs that were killed.
        for entry in fs::read_dir(&path)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(RUN) {
                fs::remove_dir_all(entry.path())?;
            }
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

impl Saved {
    /// Finds the host, or boots and saves one.
    pub(super) fn find(folder: &Folder, spec: Spec) -> Result<Self> {
        let suite = spec.suite.name();
        let link = folder.path.join(suite);
        let made = link.canonicalize();
        let made = made.with_context(|| format!("no {}: `scripts/setup lab`", link.display()))?;
        let states = made.join("saved");
        fs::create_dir_all(&states)?;

        let mut hasher = DefaultHasher::new();
        (INPUTS, spec.name(), qemu_version()?).hash(&mut hasher);
        let key = format!("{}-{:016x}", spec.name(), hasher.finish());
        let [disk, memory] = ["disk", "memory"].map(|kind| states.join(format!("{key}.{kind}")));
        let saved = Self { spec, made, disk, memory };
        if !saved.memory.exists() {
            throw_away(&states, &spec.name())?;
            saved.make(folder)?;
        }
        Ok(saved)
    }

    /// Restores it with that payload.
    pub(super) fn restore(&self, run: TempDir, payload: &Payload) -> Result<Started> {
        let disk = run.path().join("disk");
        layer(&disk, &self.disk, "qcow2")?;
        Started::start(self.spec, &self.made, &disk, payload.path(), run, Some(&self.memory))
    }

    fn make(&self, folder: &Folder) -> Result<()> {
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
        let _ = fs::remove_file(&self.disk);
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
        // It only gets its final name when it is complete.
        let partial = self.memory.with_extension("partial");
        host.save(&partial)?;
        Ok(fs::rename(&partial, &self.memory)?)
    }
}

/// A layer that takes all writes, above a disk that stays unchanged.
fn layer(above: &Path, below: &Path, format: &str) -> Result<()> {
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
