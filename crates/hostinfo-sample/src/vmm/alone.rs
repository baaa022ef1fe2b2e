//! Whether a process is alone in a cgroup and in all below it, which its limits and its pressure
//! are about as well.

use std::ffi::OsString;
use std::path::Path;

use crate::text::{number, words};
use crate::vmm::process::Process;

/// The most cgroups that are looked at, each with three system calls: a guest started by hand has
/// one, a container with libvirt in it one for each vCPU and iothread besides.
const CGROUPS_MAX: usize = 1024;

/// Whether the process is in `cgroup`, and no other there or below it. Where that cannot be seen,
/// it is not.
pub(crate) fn is_alone(cgroup: &Path, process: &Process, buffer: &mut Vec<u8>) -> bool {
    if procs(cgroup, process, buffer) != Procs::Its {
        return false;
    }
    let mut left = CGROUPS_MAX;
    let mut unseen = vec![cgroup.to_owned()];
    while let Some(cgroup) = unseen.pop() {
        let Some(below) = below(&process.roots.cgroups().join(&cgroup), left) else {
            return false;
        };
        left = left.saturating_sub(below.len());
        for name in below {
            let cgroup = cgroup.join(name);
            if procs(&cgroup, process, buffer) == Procs::Others {
                return false;
            }
            unseen.push(cgroup);
        }
    }
    true
}

#[derive(PartialEq, Eq)]
enum Procs {
    /// The process, and no other.
    Its,
    None,
    Others,
}

/// Whose a cgroup is. The processes of v2's threaded ones are told by that around them, and not
/// again by each.
fn procs(cgroup: &Path, process: &Process, buffer: &mut Vec<u8>) -> Procs {
    let pid = u64::try_from(process.pid()).ok();
    match process.roots.cgroup(cgroup.join("cgroup.procs"), buffer) {
        Ok(pids) => {
            let mut pids = words(pids).map(number).peekable();
            if pids.peek().is_none() {
                Procs::None
            } else if pids.all(|other| other.is_some() && other == pid) {
                Procs::Its
            } else {
                Procs::Others
            }
        }
        Err(unread) if unread.is_not_there() => Procs::None,
        Err(_) => Procs::Others,
    }
}

/// The cgroups in a cgroup; `None` where there are more than `bound`, or they cannot be seen.
fn below(cgroup: &Path, bound: usize) -> Option<Vec<OsString>> {
    let mut below = Vec::new();
    for entry in std::fs::read_dir(cgroup).ok()? {
        let entry = entry.ok()?;
        if entry.file_type().ok()?.is_dir() {
            below.push(entry.file_name());
        }
        if below.len() > bound {
            return None;
        }
    }
    Some(below)
}
