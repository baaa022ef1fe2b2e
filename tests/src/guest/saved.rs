//! Guests that have booted, on disk: made once, restored in a quarter of a second.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use rustix::fs::{FlockOperation, flock};
use serde_json::json;

use super::image::Image;
use super::{Accel, Guest, Port};
use crate::deadline::{PATIENCE, wait_until};
use crate::paths;

/// A saved guest with its image. While it is held, no other test throws it away.
#[derive(Debug)]
pub(super) struct Saved {
    pub(super) image: Image,
    pub(super) state: PathBuf,
    _lock: File,
}

/// The image to boot from, and the lock that keeps it.
pub(super) fn image() -> Result<(Image, File)> {
    let lock = lock()?;
    let image = Image::prepare()?;
    flock(&lock, FlockOperation::LockShared)?;
    Ok((image, lock))
}

impl Saved {
    /// Finds the saved state of that machine, or boots one and saves it.
    pub(super) fn find(port: Port) -> Result<Self> {
        let lock = lock()?;
        let image = Image::prepare()?;
        let folder = paths::guest_cache()?;
        let state = folder.join(format!("{}.{}", image.key, port.name()));
        if !state.exists() {
            throw_away_old(&folder, &image.key)?;
            make(&image, port, &state)?;
        }
        flock(&lock, FlockOperation::LockShared)?;
        Ok(Self { image, state, _lock: lock })
    }
}

fn lock() -> Result<File> {
    let path = paths::guest_cache()?.join("lock");
    let file = File::create(&path).with_context(|| format!("make {}", path.display()))?;
    flock(&file, FlockOperation::LockExclusive).context("lock the cache of guests")?;
    Ok(file)
}

fn make(image: &Image, port: Port, state: &Path) -> Result<()> {
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

/// Removes what belongs to images that no longer are.
fn throw_away_old(folder: &Path, key: &str) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        // Only what is named by a key: the kernel and the lock stay.
        if stem.len() == key.len() && stem != key && path.is_file() {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}
