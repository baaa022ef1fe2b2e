//! `/proc/PID/task/TID/comm` and `schedstat`: what one of the VMM's threads does, and how long it ran and waited.

use serde::{Deserialize, Serialize};

use crate::Moment;
use crate::root::Unread;
use crate::text::take_number;
use crate::vmm::process::Process;
use crate::vmm::role::Role;

/// For how many slots a thread may have its creator's name after it was seen to have run: a second. QEMU's threads
/// name themselves before they do anything else.
const NAMING: u64 = 10;

/// Run time and run-queue delay, in nanoseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Times {
    pub(crate) run: u64,
    pub(crate) delay: u64,
}

impl Times {
    pub(crate) fn add(&mut self, gain: Self) {
        self.run = self.run.saturating_add(gain.run);
        self.delay = self.delay.saturating_add(gain.delay);
    }

    /// What a thread gained. The kernel's figures for a thread never fall: if they fell, it is
    /// another thread, and all of its time is new.
    pub(crate) fn gain(self, last: Self) -> Self {
        let run = self.run.checked_sub(last.run);
        let delay = self.delay.checked_sub(last.delay);
        run.zip(delay).map_or(self, |(run, delay)| Self { run, delay })
    }
}

/// What is known about a thread. Its number may be used again in the same process; but the
/// directory that `/proc` creates for it, and so the inode, never belongs to another thread.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Thread {
    /// Of its directory in `/proc`.
    pub(super) inode: u64,
    /// `None` until its name was read.
    pub(super) role: Option<Role>,
    naming: Naming,
    /// Its times when it was last read.
    pub(super) last: Times,
}

/// What is known of a thread's name.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Naming {
    /// It was not seen to have run.
    Begins,
    /// It was first seen to have run in that slot.
    Since(u64),
    /// It will not change any more.
    Final,
}

impl Thread {
    pub(super) fn new(inode: u64, last: Times) -> Self {
        Self { inode, role: None, naming: Naming::Begins, last }
    }

    /// What the thread gained since the last reading. A thread starts with its creator's name; a
    /// vCPU or an iothread gets its final name a little later.
    pub(super) fn read(
        &mut self,
        tid: u32,
        at: Moment,
        process: &Process,
        buffer: &mut Vec<u8>,
    ) -> Result<Times, Unread> {
        if self.naming != Naming::Final {
            let role = Role::of(process.read_name(tid, buffer)?.trim_ascii_end());
            let is_final = match self.naming {
                Naming::Begins | Naming::Final => false,
                Naming::Since(slot) => at.slot().saturating_sub(slot) >= NAMING,
            };
            if is_final || matches!(role, Role::Vcpu(_) | Role::Iothread) {
                self.naming = Naming::Final;
            }
            self.role = Some(role);
        }
        let now = parse(process.read_thread(tid, "schedstat", buffer)?).unwrap_or(self.last);
        if now.run > 0 && self.naming == Naming::Begins {
            self.naming = Naming::Since(at.slot());
        }
        let gain = now.gain(self.last);
        self.last = now;
        Ok(gain)
    }
}

/// ```text
/// 26705893 446824 75
/// ```
///
/// Run time and run-queue delay in nanoseconds, and how often it was scheduled on a CPU.
pub(crate) fn parse(mut text: &[u8]) -> Option<Times> {
    Some(Times { run: take_number(&mut text)?, delay: take_number(&mut text)? })
}
