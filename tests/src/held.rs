//! A directory whose lock somebody holds, as whoever may list one can.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::process::tied;

/// As long as this lives, nobody else finds a new name in the directory, or makes or removes one.
#[derive(Debug)]
pub struct Held(Child);

impl Held {
    /// Holds a directory. It is to be in a tmpfs: elsewhere the kernel may remember which names are not there.
    ///
    /// # Errors
    /// It cannot be held.
    pub fn directory(path: &Path) -> Result<Self> {
        let mut command = tied("python3");
        command.args(["-c", include_str!("held.py")]).arg(path);
        let mut held = Self(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?);
        let mut line = String::new();
        let said = held.0.stdout.as_mut().context("no standard output")?;
        BufReader::new(said).read_line(&mut line)?;
        ensure!(line == "held\n", "{} cannot be held", path.display());
        Ok(held)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
