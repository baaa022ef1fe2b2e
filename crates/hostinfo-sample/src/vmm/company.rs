//! Which processes share a cgroup with the guest's VMM. A second VMM means that the cgroup is
//! another guest's as well.
//!
//! Other processes do not. The kernel's own threads there work for this VMM, such as
//! `kvm-nx-lpage-recovery-PID`, and so do the VMM's helpers (swtpm, virtiofsd, passt,
//! virt-launcher) and the shell that started it.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::Path;
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use crate::Moment;
use crate::root::LINE_BYTES;
use crate::text::{number, words};
use crate::vmm::name::is_vmm;
use crate::vmm::process::Process;
use crate::vmm::process_stat;
use crate::vmm::role::Role;

/// The most cgroups looked at, each with two files: a guest that was started by hand has one, and a
/// host of 1,000 guests has them below one slice.
const CGROUPS_MAX: usize = 1024;

/// The most processes looked at, each with one file: some 10 us each, so 10 ms in total. A user's
/// session has some 100.
const PROCESSES_MAX: usize = 1024;

/// The most threads of one process whose names are read: a VMM starts its vCPUs among its first
/// threads.
const NAMES_EACH_MAX: usize = 16;

/// The most thread names read over all processes.
const NAMES_MAX: usize = 512;

/// What was found in cgroups.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Whether the guest's VMM is there.
    pub(crate) own: bool,
    /// Whether a second VMM is there.
    pub(crate) second: bool,
    /// Whether some of it could not be seen.
    pub(crate) unclear: bool,
}

/// A kernel thread that works for the guest's VMM alone. Since Linux 6.4 it is one of the VMM's own
/// threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Worker {
    pub(crate) pid: u64,
    pub(crate) start: u64,
}

/// Looks at cgroups, visiting each process once.
pub(crate) struct Company<'a> {
    process: &'a Process,
    /// The process that started the VMM.
    parent: Option<u64>,
    at: Moment,
    buffer: &'a mut Vec<u8>,
    known: HashMap<u64, Kind>,
    cgroups_left: usize,
    names_left: usize,
    pub(crate) workers: Vec<Worker>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Own,
    Second,
    Harmless,
    /// It ended, or is hidden from this program.
    Gone,
    Unseen,
}

impl<'a> Company<'a> {
    pub(crate) fn of(
        process: &'a Process,
        parent: Option<u64>,
        at: Moment,
        buffer: &'a mut Vec<u8>,
    ) -> Self {
        Self {
            process,
            parent,
            at,
            buffer,
            known: HashMap::new(),
            cgroups_left: CGROUPS_MAX,
            names_left: NAMES_MAX,
            workers: Vec::new(),
        }
    }

    /// Which processes are in the cgroup or below it. Stops at a second VMM.
    pub(crate) fn below(&mut self, cgroup: &Path) -> Seen {
        let (mut seen, mut left) = (Seen::default(), vec![cgroup.to_owned()]);
        while let Some(cgroup) = left.pop() {
            self.look(&cgroup, &mut seen);
            if seen.second {
                break;
            }
            match self.children(&cgroup) {
                Some(names) => left.extend(names.iter().map(|name| cgroup.join(name))),
                None => seen.unclear = true,
            }
        }
        seen
    }

    /// Adds the processes of the cgroup itself. For threaded v2 cgroups, the cgroup around them
    /// lists the processes, so they do not list them again.
    pub(crate) fn look(&mut self, cgroup: &Path, seen: &mut Seen) {
        let (process, at) = (self.process, self.at);
        let Some(pids) = process.roots.members_for_all(cgroup, at, || self.pids(cgroup)) else {
            seen.unclear = true;
            return;
        };
        let mut gone = Vec::new();
        // The one found last time is probably still there.
        let second = self.process.second_vmm.get().filter(|pid| pids.contains(pid));
        for pid in second.into_iter().chain(pids.iter().copied()) {
            match self.kind(pid) {
                Kind::Own => seen.own = true,
                Kind::Second => {
                    self.process.second_vmm.set(Some(pid));
                    seen.second = true;
                    return;
                }
                Kind::Harmless => {}
                Kind::Gone => gone.push(pid),
                Kind::Unseen => seen.unclear = true,
            }
        }
        // A process that ended is no longer listed, but a hidden one still is.
        if !gone.is_empty() {
            let listed = self.pids(cgroup);
            seen.unclear |= listed.is_none_or(|pids| pids.iter().any(|pid| gone.contains(pid)));
        }
    }

    /// The processes in a cgroup; empty if there is no such cgroup. `None` if they are not known.
    fn pids(&mut self, cgroup: &Path) -> Option<Rc<[u64]>> {
        match self.process.roots.cgroup(cgroup.join("cgroup.procs"), self.buffer) {
            Ok(text) => words(text).map(number).collect(),
            Err(unread) => unread.is_not_there().then(Rc::default),
        }
    }

    /// The cgroups in a cgroup. `None` if there are too many, or they cannot be seen.
    fn children(&mut self, cgroup: &Path) -> Option<Vec<OsString>> {
        let entries = match std::fs::read_dir(self.process.roots.cgroups().join(cgroup)) {
            Ok(entries) => entries,
            Err(error) => return (error.kind() == std::io::ErrorKind::NotFound).then(Vec::new),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.ok()?;
            if entry.file_type().ok()?.is_dir() {
                self.cgroups_left = self.cgroups_left.checked_sub(1)?;
                names.push(entry.file_name());
            }
        }
        Some(names)
    }

    fn kind(&mut self, pid: u64) -> Kind {
        if u64::try_from(self.process.pid()) == Ok(pid) {
            return Kind::Own;
        }
        if let Some(kind) = self.known.get(&pid) {
            return *kind;
        }
        // 0 stands for a process in another PID namespace.
        if pid == 0 || self.known.len() == PROCESSES_MAX {
            return Kind::Unseen;
        }
        let kind = self.look_at(pid);
        self.known.insert(pid, kind);
        kind
    }

    fn look_at(&mut self, pid: u64) -> Kind {
        let (process, buffer) = (self.process, &mut *self.buffer);
        let text = match process.second_vmm.get() {
            Some(second) if second == pid => process.roots.stat_for_all(pid, self.at, buffer),
            _ => process.read_other(pid, "stat", LINE_BYTES, buffer),
        };
        let text = match text {
            Ok(text) => text,
            Err(unread) if unread.is_not_there() => return Kind::Gone,
            Err(_) => return Kind::Unseen,
        };
        let Some(stat) = process_stat::parse(text) else { return Kind::Unseen };
        if stat.is_kernels() {
            if stat.comm == format!("vhost-{}", self.process.pid()).as_bytes() {
                self.workers.push(Worker { pid, start: stat.start });
            }
            return Kind::Harmless;
        }
        // QEMU forks when it becomes a daemon, and before it starts a script; crosvm has a process
        // for each device.
        let own = u64::try_from(self.process.pid()).ok();
        let is_forked = (own.is_some() && stat.parent == own) || self.parent == Some(pid);
        if stat.is_dead() || is_forked {
            return Kind::Harmless;
        }
        if is_vmm(stat.comm) {
            return Kind::Second;
        }
        let is_threaded = stat.threads.is_none_or(|threads| threads > 1);
        if is_threaded && self.has_vcpus(pid) { Kind::Second } else { Kind::Harmless }
    }

    fn has_vcpus(&mut self, pid: u64) -> bool {
        let tasks = self.process.roots.proc.join(format!("{pid}/task"));
        let Ok(tasks) = std::fs::read_dir(tasks) else { return false };
        for task in tasks.take(NAMES_EACH_MAX).flatten() {
            let Some(left) = self.names_left.checked_sub(1) else { return false };
            self.names_left = left;
            let Some(tid) = number(task.file_name().as_encoded_bytes()) else { continue };
            let file = format!("task/{tid}/comm");
            let name = self.process.read_other(pid, &file, LINE_BYTES, self.buffer);
            if name.is_ok_and(|name| matches!(Role::of(name.trim_ascii_end()), Role::Vcpu(_))) {
                return true;
            }
        }
        false
    }
}
