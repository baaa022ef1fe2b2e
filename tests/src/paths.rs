//! Paths on the machine that runs the tests.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

/// The folder of the workspace.
pub fn workspace() -> &'static Path {
    const TESTS: &str = env!("CARGO_MANIFEST_DIR");
    Path::new(TESTS).parent().unwrap_or(Path::new(TESTS))
}

/// The folder in which guests' images and saved states are kept between runs.
///
/// # Errors
/// It cannot be created.
pub fn guest_cache() -> Result<PathBuf> {
    let folder = workspace().join("target/guest");
    std::fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    Ok(folder)
}

/// The folder in which `scripts/setup lab` creates KVM hosts, and in which booted ones are kept:
/// `HOSTINFO_LAB_DIR`, or below `target/`.
///
/// # Errors
/// It cannot be created.
pub fn lab_cache() -> Result<PathBuf> {
    let folder = match std::env::var_os("HOSTINFO_LAB_DIR") {
        Some(folder) => std::path::absolute(folder)?,
        None => workspace().join("target/lab"),
    };
    std::fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    Ok(folder)
}

/// One of the project's own programs for the host: from `HOSTINFO_BIN_DIR`, or built beside the program that is
/// running now.
///
/// # Errors
/// It was not built.
pub fn program(name: &str) -> Result<PathBuf> {
    let folder = match std::env::var_os("HOSTINFO_BIN_DIR") {
        Some(folder) => PathBuf::from(folder),
        None => profile_folder()?,
    };
    built(folder.join(name))
}

/// The folder of the programs that an administrator has: optimised ones, beside those of the tests.
///
/// # Errors
/// The daemon was not built.
pub fn release_programs() -> Result<PathBuf> {
    let folder = profile_folder()?.with_file_name("release");
    built(folder.join("hostinfod"))?;
    Ok(folder)
}

/// The guest's tool as a static binary: `HOSTINFO_GUEST_TOOL`, or as `make` builds it.
///
/// # Errors
/// It was not built.
pub fn guest_tool() -> Result<PathBuf> {
    release("HOSTINFO_GUEST_TOOL", "x86_64-unknown-linux-musl/release/hostinfo")
}

/// The guest's tool for Windows: `HOSTINFO_WINDOWS_TOOL`, or as `make` builds it.
///
/// # Errors
/// It was not built.
pub fn windows_tool() -> Result<PathBuf> {
    release("HOSTINFO_WINDOWS_TOOL", "x86_64-pc-windows-gnu/release/hostinfo.exe")
}

/// The path that a variable of the environment holds, or one below `target/`.
fn release(variable: &str, path: &str) -> Result<PathBuf> {
    if let Some(path) = std::env::var_os(variable) {
        return built(PathBuf::from(path));
    }
    let profile = profile_folder()?;
    built(profile.parent().unwrap_or(&profile).join(path))
}

/// Prometheus's checker for metrics.
pub fn promtool() -> PathBuf {
    tool("promtool")
}

/// A program that the tests need: as unpacked by `scripts/setup`, or the machine's own.
pub fn tool(name: &str) -> PathBuf {
    let unpacked = workspace().join("target/tools").join(name);
    if unpacked.exists() { unpacked } else { PathBuf::from(name) }
}

/// `PATH` with the programs that `scripts/setup` has unpacked.
///
/// # Errors
/// There is no such `PATH`.
pub fn with_tools() -> Result<OsString> {
    let own = [workspace().join("target/tools")];
    let path = std::env::var_os("PATH").unwrap_or_default();
    Ok(std::env::join_paths(own.into_iter().chain(std::env::split_paths(&path)))?)
}

/// `target/debug` or the like: cargo puts tests into its subfolder `deps`.
fn profile_folder() -> Result<PathBuf> {
    let own = std::env::current_exe().context("find the path of this program")?;
    let folder = own.parent().context("this program lies in no folder")?;
    let profile = if folder.ends_with("deps") { folder.parent() } else { Some(folder) };
    Ok(profile.unwrap_or(folder).to_owned())
}

fn built(path: PathBuf) -> Result<PathBuf> {
    if !path.is_file() {
        bail!(
            "{} is not built: `make test` and `make test-long` build what they need",
            path.display()
        );
    }
    Ok(path)
}
