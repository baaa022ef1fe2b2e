//! hostinfo's module for SELinux, built, and linked into the policy of the lab's Debian 12. The linking takes 6 s here and
//! two minutes in the emulation.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use crate::install::run;
use crate::paths;

/// What linking writes, of all that the policy consists of: the kernel's, the labels of files, and the module.
const WRITTEN: &str = "etc/selinux/default/policy etc/selinux/default/contexts/files var/lib/selinux/default/active/modules/200";

/// The policy with the module.
#[derive(Debug)]
pub struct Linked {
    root: TempDir,
}

impl Linked {
    /// Builds and links it.
    ///
    /// # Errors
    /// The policy refuses it, or there is no lab.
    pub fn make() -> Result<Self> {
        let root = tempfile::tempdir()?;
        let host = paths::lab_cache()?.join("bookworm/root");
        let script = "PATH=$PATH:/usr/sbin
            mkdir -p \"$0/etc\" \"$0/var/lib\"
            cp -R \"$1/etc/selinux\" \"$0/etc\" && cp -R \"$1/var/lib/selinux\" \"$0/var/lib\"
            cp -R dist/selinux \"$0/module\"
            make -s -C \"$0/module\" -f /usr/share/selinux/devel/Makefile hostinfo.pp
            semodule -p \"$0\" -s default -n -X 200 -i \"$0/module/hostinfo.pp\"";
        run(Command::new("sh")
            .args(["-ec", script])
            .args([root.path(), &host])
            .current_dir(paths::workspace()))?;
        Ok(Self { root })
    }

    /// Everything that changes in the host by installing the module, as a tar archive in `folder`.
    ///
    /// # Errors
    /// There is no space for it.
    pub fn pack(&self, folder: &Path) -> Result<PathBuf> {
        let tar = folder.join("policy.tar");
        let mut command = Command::new("tar");
        command.args(["--owner=0", "--group=0", "-cf"]).arg(&tar).arg("-C").arg(self.root.path());
        run(command.args(WRITTEN.split(' ')))?;
        Ok(tar)
    }

    /// The lines of sesearch(1), sorted.
    ///
    /// # Errors
    /// It cannot read the policy.
    pub fn search(&self, arguments: &[&str]) -> Result<Vec<String>> {
        let policy = self.root.path().join("etc/selinux/default/policy");
        let file = std::fs::read_dir(&policy)?.next().context("no policy")??.path();
        let told = run(Command::new("sesearch").args(arguments).arg(file))?;
        let mut lines: Vec<String> = told.lines().map(str::to_owned).collect();
        lines.sort_unstable();
        lines.dedup();
        Ok(lines)
    }
}
