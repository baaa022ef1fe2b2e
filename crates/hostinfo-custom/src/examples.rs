//! Statistics for tests of other crates.

// A test should fail on anything unexpected.
#![allow(clippy::unwrap_used)]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use crate::Custom;

/// Statistics with these definitions.
///
/// # Panics
/// If the definitions are bad.
pub fn custom(definitions: &str) -> Custom {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("x.toml");
    fs::write(&file, definitions).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    let owner = rustix::process::geteuid().as_raw();
    let (custom, problems) = Custom::load(directory.path(), owner).unwrap();
    assert_eq!(problems, []);
    custom
}
