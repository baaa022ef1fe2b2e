//! A test's own cgroups around a guest or the daemon, v2 or v1 with v2 beside it. They need root, and are removed
//! when this value is dropped.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

const ROOT: &str = "/sys/fs/cgroup";

/// A cgroup of the same name in each tree that matters for guests, with one process in it.
#[derive(Debug)]
pub struct Cgroup {
    trees: Vec<PathBuf>,
    path: PathBuf,
    pid: u32,
}

impl Cgroup {
    /// Creates it with all its parents, and moves the process into it.
    ///
    /// # Errors
    /// Not running as root.
    pub fn around(pid: u32, path: impl AsRef<Path>) -> Result<Self> {
        let root = Path::new(ROOT);
        let trees = match is_v2() {
            true => vec![root.to_owned()],
            false => ["cpu", "memory", "unified"].map(|tree| root.join(tree)).to_vec(),
        };
        Self::within(trees, pid, path.as_ref())
    }

    /// Creates it where systemd has a unit's, and moves the process into it.
    ///
    /// # Errors
    /// Not running as root.
    pub fn of_unit(pid: u32, unit: &str) -> Result<Self> {
        let root = Path::new(ROOT);
        let tree = if is_v2() { root.to_owned() } else { root.join("systemd") };
        Self::within(vec![tree], pid, Path::new(unit))
    }

    fn within(trees: Vec<PathBuf>, pid: u32, path: &Path) -> Result<Self> {
        let cgroup = Self { trees, path: path.to_owned(), pid };
        for tree in &cgroup.trees {
            let mut folder = tree.clone();
            for name in &cgroup.path {
                if is_v2() {
                    fs::write(folder.join("cgroup.subtree_control"), "+cpu +memory")?;
                }
                folder.push(name);
                let made = fs::create_dir(&folder);
                made.with_context(|| format!("make {} as root", folder.display()))?;
            }
            fs::write(folder.join("cgroup.procs"), pid.to_string())?;
        }
        Ok(cgroup)
    }

    /// Limits the cgroup at `path`, this one or one around it, to half a CPU.
    ///
    /// # Errors
    /// There is no such cgroup.
    pub fn limit_to_half_a_cpu(&self, path: impl AsRef<Path>) -> Result<()> {
        if is_v2() {
            return self.write(path.as_ref(), "cpu.max", "50000 100000");
        }
        self.write(path.as_ref(), "cpu/cpu.cfs_period_us", "100000")?;
        self.write(path.as_ref(), "cpu/cpu.cfs_quota_us", "50000")
    }

    /// Writes `FILE` or, on v1, `TREE/FILE`.
    fn write(&self, path: &Path, file: &str, text: &str) -> Result<()> {
        let (tree, file) = file.split_once('/').unwrap_or(("", file));
        let file = Path::new(ROOT).join(tree).join(path).join(file);
        fs::write(&file, text).with_context(|| format!("write {}", file.display()))
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        for tree in &self.trees {
            let _ = fs::write(tree.join("cgroup.procs"), self.pid.to_string());
            for path in self.path.ancestors().filter(|path| *path != Path::new("")) {
                let _ = fs::remove_dir(tree.join(path));
            }
        }
    }
}

fn is_v2() -> bool {
    Path::new(ROOT).join("cgroup.controllers").exists()
}
