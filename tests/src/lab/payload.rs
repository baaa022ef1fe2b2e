//! A disk for the host that is a tar archive: hostinfo as installed by `make install` with the files that its guests
//! boot from, or the files that a scenario brings.

use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

use super::spec::Spec;
use crate::guest::image;
use crate::install::{Install, run};

/// The disk's size, whatever its contents: a host is restored with a disk of the size that it was
/// saved with.
const SIZE: u64 = 1 << 30;

/// The folder of a guest's kernel and initramfs in the host: libvirt expects such files there, and
/// labels them under SELinux.
pub(super) const BOOT: &str = "/var/lib/libvirt/boot";

/// The folder in the host with what `make install` installs from.
pub const SOURCE: &str = "/var/tmp/hostinfo";

/// The folder in the host with the files that a scenario brings.
pub const FILES: &str = "/var/tmp/files";

/// The disk.
#[derive(Debug)]
pub(super) struct Payload {
    file: PathBuf,
}

impl Payload {
    /// An empty one, in that folder.
    pub(super) fn empty(folder: &TempDir) -> Result<Self> {
        let file = folder.path().join("payload");
        File::create(&file)?.set_len(SIZE)?;
        Ok(Self { file })
    }

    /// The current build, for guests that run the host's own kernel.
    pub(super) fn build(folder: &TempDir, made: &Path, spec: Spec) -> Result<Self> {
        let root = folder.path().join("installed");
        let install = Install::prepare_stripped()?;
        install.make("install", "/usr", &root)?;
        install.source(&below(&root, SOURCE))?;
        let boot = below(&root, BOOT);
        fs::create_dir_all(&boot)?;
        let kernel = spec.kernel.name();
        fs::copy(made.join(format!("vmlinuz-{kernel}")), boot.join("vmlinuz"))?;
        let drivers = made.join(format!("drivers-{kernel}"));
        image::build(&drivers, &boot.join("initramfs"))?;
        Self::pack(folder, &root)
    }

    /// These files, in [`FILES`].
    pub(super) fn files(folder: &TempDir, files: &[PathBuf]) -> Result<Self> {
        let root = folder.path().join("files");
        let brought = below(&root, FILES);
        fs::create_dir_all(&brought)?;
        for file in files {
            let name = file.file_name().with_context(|| format!("a name in {file:?}"))?;
            fs::copy(file, brought.join(name)).with_context(|| format!("copy {file:?}"))?;
        }
        Self::pack(folder, &root)
    }

    /// Everything below `root`, which is removed.
    fn pack(folder: &TempDir, root: &Path) -> Result<Self> {
        let payload = Self::empty(folder)?;
        let mut tar = Command::new("tar");
        tar.args(["--owner=0", "--group=0", "-cf"]).arg(&payload.file);
        run(tar.arg("-C").arg(root).arg("."))?;
        ensure!(fs::metadata(&payload.file)?.len() <= SIZE, "the payload is over {SIZE} bytes");
        File::options().write(true).open(&payload.file)?.set_len(SIZE)?;
        fs::remove_dir_all(root)?;
        Ok(payload)
    }

    pub(super) fn path(&self) -> &Path {
        &self.file
    }
}

/// What the current build depends on.
pub(super) fn hash_build(hasher: &mut impl Hasher) -> Result<()> {
    const MADE_BY: [&str; 2] = [include_str!("payload.rs"), include_str!("../install.rs")];
    (MADE_BY, image::BUILT_BY).hash(hasher);
    image::hash_files(Install::inputs()?, hasher)
}

/// An absolute path of the host's, below what becomes its root.
fn below(root: &Path, path: &str) -> PathBuf {
    root.join(path.trim_start_matches('/'))
}
