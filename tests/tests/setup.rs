//! `scripts/setup` on machines with other Rusts than this one. Programs that it calls are stand-ins; nothing is
//! installed.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Result, ensure};
use hostinfo_tests::paths::workspace;
use tempfile::TempDir;

/// A machine with a C compiler and valgrind, and with these programs beside those of every Debian.
struct Machine(TempDir);

impl Machine {
    fn new(programs: &[(&str, &str)]) -> Result<Self> {
        let dir = TempDir::new()?;
        for name in ["cut", "dirname", "env", "grep", "id", "sed", "sort"] {
            symlink(Path::new("/usr/bin").join(name), dir.path().join(name))?;
        }
        let always = [("cc", ""), ("valgrind", ""), ("apt-get", ""), ("sudo", "exec \"$@\"")];
        for (name, text) in always.iter().chain(programs) {
            let path = dir.path().join(name);
            fs::write(&path, format!("#!/bin/sh\n{text}\n"))?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        }
        Ok(Self(dir))
    }

    /// Callgrind's setup, which needs nothing but a Rust, a C compiler and valgrind.
    fn set_up(&self) -> Result<Output> {
        let setup = workspace().join("scripts/setup");
        Ok(Command::new(setup).arg("callgrind").env("PATH", self.0.path()).output()?)
    }
}

const POLICY: &str = "printf 'rustup:\\n  Installed: (none)\\n  Candidate: %s\\n'";
const NEXT: &str = "curl -sSf https://sh.rustup.rs | sh";

#[test]
fn a_debian_that_knows_only_the_name_of_rustup_says_where_to_get_it() -> Result<()> {
    let bookworm = Machine::new(&[("apt-cache", &format!("{POLICY} '(none)'"))])?;
    let output = bookworm.set_up()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(!output.status.success() && said.contains(NEXT), "{said}");
    ensure!(said.contains("this Debian has no package rustup"), "{said}");
    Ok(())
}

#[test]
fn a_rust_that_is_too_old_is_found_out_by_its_version() -> Result<()> {
    for (version, is_enough) in [("1.63.0", false), ("1.85.0", false), ("1.200.0", true)] {
        let rustc = format!("echo 'rustc {version} (0123456 2026-01-01)'");
        let output = Machine::new(&[("cargo", ""), ("rustc", &rustc)])?.set_up()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success() == is_enough, "{version}: {said}");
        ensure!(is_enough || said.contains(version) && said.contains(NEXT), "{said}");
    }
    Ok(())
}

#[test]
fn a_rustup_that_lacks_the_projects_rust_gets_it() -> Result<()> {
    let output = Machine::new(&[("rustup", "[ \"$1\" != run ]")])?.set_up()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success() && said.contains("installing Rust 1."), "{said}");
    Ok(())
}
