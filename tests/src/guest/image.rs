//! The guest's kernel and its initramfs: busybox, the modules for virtio channels, and the guest's tool.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::paths;
use crate::process::write_script;

const INIT: &str = include_str!("init.sh");

/// What decides how an initramfs is built from the files.
pub(crate) const BUILT_BY: [&str; 2] = [include_str!("image.rs"), INIT];

/// A saved state depends not only on the files, but also on how the machine is built.
const MACHINE: &str = include_str!("machine.rs");

/// Parts that cloud kernels may have as modules and that a virtio channel, disk or balloon needs, in the order
/// of their dependencies.
const MODULES: [&str; 8] = [
    "virtio/virtio_ring",
    "virtio/virtio",
    "virtio/virtio_pci_modern_dev",
    "virtio/virtio_pci_legacy_dev",
    "virtio/virtio_pci",
    "char/virtio_console",
    "block/virtio_blk",
    "virtio/virtio_balloon",
];

/// What a guest boots from.
#[derive(Debug)]
pub(super) struct Image {
    pub(super) kernel: PathBuf,
    pub(super) initramfs: PathBuf,
    /// Changes whenever anything in the image, or QEMU, changes.
    pub(super) key: String,
}

impl Image {
    /// The image for the files that are on this machine now. Its initramfs may still have to be built.
    pub(super) fn find() -> Result<Self> {
        let (kernel, busybox, tool) = (found("vmlinuz")?, found("busybox")?, paths::guest_tool()?);
        let mut hasher = DefaultHasher::new();
        (INIT, MACHINE, MODULES).hash(&mut hasher);
        hash_files([&kernel, &busybox, &tool], &mut hasher)?;
        super::machine::qemu_version()?.hash(&mut hasher);
        let key = format!("{:016x}", hasher.finish());
        let initramfs = paths::guest_cache()?.join(format!("{key}.cpio"));
        Ok(Self { kernel, initramfs, key })
    }

    /// Builds the initramfs. The caller must hold the cache exclusively.
    pub(super) fn build(&self) -> Result<()> {
        // It only gets its final name when it is complete.
        let partial = self.initramfs.with_extension("partial");
        build(&found("drivers")?, &partial)?;
        Ok(fs::rename(&partial, &self.initramfs)?)
    }
}

/// The state of these files. A file counts as changed with its size or its time.
pub(crate) fn hash_files(
    files: impl IntoIterator<Item = impl AsRef<Path>>,
    hasher: &mut impl Hasher,
) -> Result<()> {
    for file in files {
        let file = file.as_ref();
        let meta = fs::metadata(file).with_context(|| format!("look at {file:?}"))?;
        (file, meta.size(), meta.mtime(), meta.mtime_nsec()).hash(hasher);
    }
    Ok(())
}

/// A file that `scripts/setup` has found for guests.
fn found(name: &str) -> Result<PathBuf> {
    let path = paths::guest_cache()?.join(name);
    path.canonicalize().with_context(|| format!("no {}: `scripts/setup test`", path.display()))
}

/// Packs an initramfs for the kernel that these drivers belong to.
pub(crate) fn build(drivers: &Path, archive: &Path) -> Result<()> {
    let (busybox, tool) = (found("busybox")?, paths::guest_tool()?);
    let folder = tempfile::tempdir()?;
    let root = folder.path();
    for sub in ["bin", "modules"] {
        fs::create_dir(root.join(sub))?;
    }
    write_script(&root.join("init"), INIT)?;
    fs::copy(busybox, root.join("bin/busybox"))?;
    fs::copy(tool, root.join("bin/hostinfo"))?;
    for (number, module) in MODULES.iter().enumerate() {
        let name = module.rsplit('/').next().unwrap_or(module);
        unpack(drivers, module, &root.join(format!("modules/{number}-{name}.ko")))?;
    }
    pack(root, archive)
}

/// Copies a module. Newer kernels' packages compress modules, or have them built in.
fn unpack(drivers: &Path, module: &str, to: &Path) -> Result<()> {
    let plain = drivers.join(format!("{module}.ko"));
    if plain.exists() {
        fs::copy(plain, to)?;
        return Ok(());
    }
    let packed = drivers.join(format!("{module}.ko.xz"));
    if !packed.exists() {
        return Ok(());
    }
    let status = Command::new("xz")
        .arg("-dc")
        .arg(&packed)
        .stdout(fs::File::create(to)?)
        .status()
        .context("run xz")?;
    if !status.success() {
        bail!("unpack {}: {status}", packed.display());
    }
    Ok(())
}

fn pack(root: &Path, archive: &Path) -> Result<()> {
    let list = Command::new("find").arg(".").current_dir(root).output().context("run find")?;
    let mut cpio = Command::new("cpio")
        .args(["--quiet", "-o", "-H", "newc", "-R", "0:0", "-O"])
        .arg(archive)
        .current_dir(root)
        .stdin(Stdio::piped())
        .spawn()
        .context("run cpio")?;
    if let Some(mut names) = cpio.stdin.take() {
        std::io::Write::write_all(&mut names, &list.stdout)?;
    }
    let status = cpio.wait()?;
    if !status.success() {
        bail!("cpio: {status}");
    }
    Ok(())
}
