//! What the daemon holds: memory and descriptors.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

/// Bytes that it may have more than before: what the allocator keeps of a burst. 200 guests with 4 KiB each are
/// 0.8 MiB, and as much again for what the helper's process and the rules take while they are read.
const MORE_BYTES: u64 = 2 << 20;

/// Descriptors that it may have more than before: files of the host that were not opened yet.
const MORE_FILES: usize = 8;

/// What a process holds at one time.
#[derive(Debug, Clone)]
pub struct Resources {
    /// Memory of its own, in bytes: `Pss_Anon` of `/proc/PID/smaps_rollup`, proc(5). Its share of its program's file grows
    /// whenever another process that runs the same file ends.
    pub memory: u64,
    /// How many descriptors it has of each kind.
    descriptors: BTreeMap<String, usize>,
}

impl Resources {
    /// Those of that process.
    ///
    /// # Errors
    /// It has ended, or is another user's.
    pub fn of(pid: u32) -> Result<Self> {
        let folder = PathBuf::from(format!("/proc/{pid}"));
        let rollup = fs::read_to_string(folder.join("smaps_rollup"))?;
        let kilobytes = rollup
            .lines()
            .find_map(|line| line.strip_prefix("Pss_Anon:")?.split_whitespace().next())
            .context("no Pss_Anon in smaps_rollup")?;
        let mut descriptors = BTreeMap::new();
        for entry in fs::read_dir(folder.join("fd"))? {
            // It may have been closed by now.
            if let Ok(target) = fs::read_link(entry?.path()) {
                *descriptors.entry(kind(&target.to_string_lossy())).or_default() += 1;
            }
        }
        Ok(Self { memory: kilobytes.parse::<u64>()? * 1024, descriptors })
    }

    /// How many descriptors it has.
    pub fn files(&self) -> usize {
        self.descriptors.values().sum()
    }

    /// What is more than it was `before`, if that is too much.
    pub fn excess(&self, before: &Self) -> Option<String> {
        let more: Vec<String> = self
            .descriptors
            .iter()
            .map(|(kind, count)| (kind, *count, before.descriptors.get(kind).copied().unwrap_or(0)))
            .filter(|(_, now, then)| now > then)
            .map(|(kind, now, then)| format!("{kind}: {now}, before {then}"))
            .collect();
        if self.files() > before.files() + MORE_FILES {
            return Some(format!("descriptors: {}", more.join("; ")));
        }
        (self.memory > before.memory + MORE_BYTES)
            .then(|| format!("memory: {} bytes, before {}", self.memory, before.memory))
    }
}

impl fmt::Display for Resources {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} KiB, {} descriptors", self.memory / 1024, self.files())
    }
}

/// `socket:[123]` and the like without their numbers, and files by their last two names.
fn kind(target: &str) -> String {
    match target.split_once(":[") {
        Some((kind, _)) => kind.to_owned(),
        None => {
            let mut names: Vec<&str> = target.rsplit('/').take(2).collect();
            names.reverse();
            names.join("/")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resources(memory: u64, sockets: usize) -> Resources {
        Resources { memory, descriptors: [("socket".to_owned(), sockets)].into() }
    }

    #[test]
    fn a_leak_is_told_by_its_kind() {
        let before = resources(9 << 20, 200);
        assert_eq!(resources(10 << 20, 204).excess(&before), None);
        assert_eq!(
            resources(9 << 20, 300).excess(&before),
            Some("descriptors: socket: 300, before 200".to_owned())
        );
        assert!(resources(12 << 20, 200).excess(&before).unwrap().starts_with("memory"));
    }

    #[test]
    fn a_process_has_memory_and_descriptors() {
        let own = Resources::of(std::process::id()).unwrap();
        assert!(own.memory > 0 && own.files() > 2, "{own}");
    }
}
