//! What the threads' times add up to: for each vCPU, for all, and for the others.

use std::sync::Arc;

use super::{Task, Threads, Times};
use crate::Absent;
use crate::vmm::role::Role;

const NO_SUCH_VCPU: Absent = Absent::plain("this guest has no such vCPU");
const NO_IOTHREAD: Absent = Absent::plain("this guest has no iothreads");

impl Threads {
    /// Whether vCPUs can be distinguished from other threads.
    pub(crate) fn are_named(&self) -> bool {
        !self.vcpus.is_empty()
    }

    /// The numbers of current and past vCPUs, in order.
    pub(crate) fn vcpus(&self) -> impl Iterator<Item = u32> {
        self.vcpus.keys().copied()
    }

    /// Whether a vCPU of that number exists or existed.
    pub(crate) fn has_vcpu(&self, number: u32) -> bool {
        self.vcpus.contains_key(&number)
    }

    /// The current threads that run vCPUs.
    pub(crate) fn of_vcpus(&self) -> Result<impl Iterator<Item = Task>, Absent> {
        let tasks = self.known.iter().filter_map(|(tid, thread)| {
            matches!(thread.role, Some(Role::Vcpu(_))).then_some((*tid, thread.inode))
        });
        self.named().map(|()| tasks)
    }

    /// The other threads, each with its times since it started.
    pub(crate) fn others(&self) -> impl Iterator<Item = (Task, Times)> {
        self.known.iter().filter_map(|(tid, thread)| match thread.role? {
            Role::Vcpu(_) => None,
            Role::Iothread | Role::Emulator => Some(((*tid, thread.inode), thread.last)),
        })
    }

    /// All vCPUs together.
    pub(crate) fn all_vcpus(&self) -> Result<Times, Absent> {
        self.measured()?;
        Ok(self.vcpus.values().fold(Times::default(), |mut sum, vcpu| {
            sum.add(*vcpu);
            sum
        }))
    }

    /// How long each vCPU waited, in the form of [`Bounds`](crate::Bounds): at most 4 bytes times
    /// [`VCPUS_MAX`](crate::vmm::role::VCPUS_MAX), which is 32 KiB.
    pub(crate) fn vcpu_delays(&self) -> Result<Arc<[u32]>, Absent> {
        self.measured()?;
        let mut delays = Vec::new();
        for (number, times) in &self.vcpus {
            delays.resize(usize::try_from(*number).unwrap_or_default(), 0);
            let micros = times.delay / 1000 % (u64::from(u32::MAX) + 1);
            delays.push(u32::try_from(micros).unwrap_or_default());
        }
        Ok(delays.into())
    }

    pub(crate) fn vcpu(&self, number: Option<u32>) -> Result<Times, Absent> {
        self.measured()?;
        number.and_then(|number| self.vcpus.get(&number)).copied().ok_or(NO_SUCH_VCPU)
    }

    pub(crate) fn emulator(&self) -> Result<Times, Absent> {
        self.measured().map(|()| self.emulator)
    }

    pub(crate) fn iothreads(&self) -> Result<Times, Absent> {
        self.measured()?;
        self.iothreads.ok_or(NO_IOTHREAD)
    }

    /// How long the threads that are not vCPUs ran, in nanoseconds.
    pub(crate) fn others_run(&self) -> Result<u64, Absent> {
        let iothreads = self.iothreads.unwrap_or_default();
        Ok(self.emulator()?.run.saturating_add(iothreads.run))
    }

    /// Fails if the last reading found no vCPUs or no times.
    fn measured(&self) -> Result<(), Absent> {
        self.named()?;
        self.lack.clone().map_or(Ok(()), Err)
    }

    fn named(&self) -> Result<(), Absent> {
        self.nameless.clone().map_or(Ok(()), Err)
    }
}
