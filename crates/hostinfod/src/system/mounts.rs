//! File systems that a test mounts for itself alone.

use std::path::Path;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

const NONE: Option<&str> = None;

/// Runs a test in a thread to which its mounts belong alone, and with which they disappear. Only root may mount.
pub(crate) fn with_own_mounts(test: impl FnOnce() + Send + 'static) {
    assert!(rustix::process::geteuid().is_root(), "needs root, to mount");
    let mounting = std::thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNS).unwrap();
        mount(NONE, "/", NONE, MsFlags::MS_PRIVATE | MsFlags::MS_REC, NONE).unwrap();
        test();
    });
    mounting.join().unwrap();
}

/// Mounts an empty file system over a directory, with these options of tmpfs(5).
pub(crate) fn mount_tmpfs(over: &Path, options: Option<&str>) {
    mount(NONE, over, Some("tmpfs"), MsFlags::empty(), options).unwrap();
}
