//! Booted guests on disk: made once, restored in a quarter of a second.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use rustix::fs::{FlockOperation, flock};
use serde_json::json;

use super::image::Image;
use super::{Accel, Guest, Port};
use crate::deadline::{PATIENCE, wait_until};
use crate::paths;

/// An image in the cache. While this value exists, no other test removes the image.
#[derive(Debug)]
pub(super) struct Cached {
    pub(super) image: Image,
    lock: File,
}

impl Cached {
    /// Finds the image, or builds it.
    pub(super) fn find() -> Result<Self> {
        let path = paths::guest_cache()?.join("lock");
        let lock = File::create(&path).with_context(|| format!("make {}", path.display()))?;
        flock(&lock, FlockOperation::LockShared)?;
        let cached = Self { image: Image::find()?, lock };
        let Image { initramfs, key, .. } = &cached.image;
        cached.make_unless_there(initramfs, || {
            throw_away_all_but(key)?;
            cached.image.build()
        })?;
        Ok(cached)
    }

    /// Finds the saved state of that machine, or boots it and saves its state.
    pub(super) fn state(&self, port: Port) -> Result<PathBuf> {
        let state = paths::guest_cache()?.join(format!("{}.{}", self.image.key, port.name()));
        self.make_unless_there(&state, || save(&self.image, port, &state))?;
        Ok(state)
    }

    /// Many may check at once; creating something is exclusive.
    fn make_unless_there(&self, path: &Path, make: impl FnOnce() -> Result<()>) -> Result<()> {
        if path.exists() {
            return Ok(());
        }
        flock(&self.lock, FlockOperation::LockExclusive)?;
        // Another test may have created it first.
        if !path.exists() {
            make()?;
        }
        Ok(flock(&self.lock, FlockOperation::LockShared)?)
    }
}

fn save(image: &Image, port: Port, state: &Path) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut guest = Guest::start(image, &folder.path().join("s"), port, Accel::Tcg, None)?;
    guest.wait_for_boot()?;
    let partial = state.with_extension("partial");
    let Some(path) = partial.to_str().filter(|path| !path.contains('\'')) else {
        bail!("a path that no shell likes: {}", partial.display());
    };
    guest.qmp.call("migrate", json!({ "uri": format!("exec:cat >'{path}'") }))?;
    wait_until("the guest to be saved", PATIENCE, || {
        let progress = guest.qmp.call("query-migrate", json!({}))?;
        match super::text(&progress, "status") {
            Some("completed") => Ok(true),
            Some("failed") => bail!("saving failed: {progress}"),
            _ => Ok(false),
        }
    })?;
    fs::rename(&partial, state)?;
    Ok(())
}

/// Removes files that belong to outdated images.
fn throw_away_all_but(key: &str) -> Result<()> {
    for entry in fs::read_dir(paths::guest_cache()?)? {
        let path = entry?.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        // Only files named by a key: the kernel and the lock stay.
        if stem.len() == key.len() && stem != key && path.is_file() {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}
