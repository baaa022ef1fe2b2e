//! `/proc/PID/task/*/comm` and `schedstat`: what the VMM's threads got and waited for.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use crate::Absent;
use crate::root::{Unread, numbered};
use crate::text::{number, words};
use crate::vmm::name::is_qemu;
use crate::vmm::process::{Process, UNSEEN};
use crate::vmm::role::Role;

/// The most threads that are looked at: 4,096 vCPUs, and as many that serve them.
const THREADS_MAX: usize = 8192;

const NAMELESS: Absent = Absent::new(
    "this guest's VMM does not name its threads",
    "start QEMU with -name NAME,debug-threads=on",
);
/// The same while it starts: there is nothing to mend.
const NAMELESS_YET: Absent = Absent::plain("this guest's VMM does not name its threads");
/// Other VMMs always name them.
const NO_VCPUS_YET: Absent = Absent::plain("this guest's vCPUs have not started");
const LACK: Absent = Absent::untold(
    "/proc/PID/task/TID/schedstat is missing or all 0: the kernel needs CONFIG_SCHED_INFO",
);

/// For how long after its start QEMU may not have its vCPUs' threads yet: it makes its memory first,
/// and with `prealloc=on` touches all of it. A guest of 1 TiB takes about a minute.
const STARTING: Duration = Duration::from_secs(60);

const NO_SUCH_VCPU: Absent = Absent::plain("this guest has no such vCPU");
const NO_IOTHREAD: Absent = Absent::plain("this guest has no iothreads");

/// Run time and run-queue delay, in nanoseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) run: u64,
    pub(crate) delay: u64,
}

impl Times {
    pub(crate) fn add(&mut self, gain: Self) {
        self.run = self.run.saturating_add(gain.run);
        self.delay = self.delay.saturating_add(gain.delay);
    }

    /// What a thread gained. The kernel's figures of a thread never fall: where they did, it is
    /// another thread, and all of its time is new.
    pub(crate) fn gain(self, last: Self) -> Self {
        let run = self.run.checked_sub(last.run);
        let delay = self.delay.checked_sub(last.delay);
        run.zip(delay).map_or(self, |(run, delay)| Self { run, delay })
    }
}

/// Sums over the threads that there are or were.
#[derive(Clone)]
pub(crate) struct Threads {
    known: HashMap<u32, Thread>,
    vcpus: BTreeMap<u32, Times>,
    iothreads: Option<Times>,
    emulator: Times,
    /// Why the last reading found no times.
    lack: Option<Absent>,
    /// Why it found no vCPUs.
    nameless: Option<Absent>,
    /// Threads that the reading has not come to yet.
    unread: Vec<u32>,
    /// Why it found no times so far.
    lack_so_far: Absent,
}

impl Default for Threads {
    fn default() -> Self {
        Self {
            known: HashMap::new(),
            vcpus: BTreeMap::new(),
            iothreads: None,
            emulator: Times::default(),
            lack: None,
            nameless: None,
            unread: Vec::new(),
            lack_so_far: LACK,
        }
    }
}

/// What is known of a thread. Its number alone may be used again in the same process; the
/// directory that `/proc` makes for it, and so the inode, is never that of another thread.
#[derive(Clone)]
struct Thread {
    inode: u64,
    /// `None` until its name was read.
    role: Option<Role>,
    last: Times,
}

/// A thread: its number, and the inode of its directory.
pub(crate) type Task = (u32, u64);

impl Threads {
    /// Adds what the threads gained since the last reading. What one gained between that and
    /// its end is lost.
    pub(crate) fn read(
        &mut self,
        process: &mut Process,
        buffer: &mut Vec<u8>,
    ) -> Result<(), Absent> {
        self.begin(process)?;
        self.go_on(usize::MAX, process, buffer);
        self.end(process, buffer)
    }

    /// Begins a reading: finds which threads there are.
    pub(crate) fn begin(&mut self, process: &Process) -> Result<(), Absent> {
        for entry in numbered(process.threads(), "", THREADS_MAX).map_err(|e| e.or(UNSEEN))? {
            // A thread that began since is new with all its time.
            let new = Thread { inode: entry.inode, role: None, last: Times::default() };
            let thread = self.known.entry(entry.number).or_insert(new);
            if thread.inode != entry.inode {
                (thread.inode, thread.role) = (entry.inode, None);
            }
        }
        self.unread = self.known.keys().copied().collect();
        self.lack_so_far = LACK;
        Ok(())
    }

    /// Whether a reading has begun and has not come to its last thread.
    pub(crate) fn has_unread(&self) -> bool {
        !self.unread.is_empty()
    }

    /// Reads so many more of the threads at the most, and says how many that were.
    pub(crate) fn go_on(&mut self, most: usize, process: &Process, buffer: &mut Vec<u8>) -> usize {
        let first = self.unread.len().saturating_sub(most);
        let now = self.unread.split_off(first);
        for tid in &now {
            self.read_one(*tid, process, buffer);
        }
        now.len()
    }

    fn read_one(&mut self, tid: u32, process: &Process, buffer: &mut Vec<u8>) {
        let Self { known, vcpus, iothreads, emulator, lack_so_far, .. } = self;
        let Some(thread) = known.get_mut(&tid) else { return };
        // A listing may miss one when others end: a thread has ended when it cannot be read.
        let (gain, stays) = match thread.read(tid, process, buffer) {
            Ok(gain) => (gain, true),
            Err(unread) => {
                *lack_so_far = unread.or(LACK);
                (Times::default(), !unread.is_not_there() || process.has_thread(tid))
            }
        };
        match thread.role {
            Some(Role::Vcpu(vcpu)) => vcpus.entry(vcpu).or_default().add(gain),
            Some(Role::Iothread) => iothreads.get_or_insert_default().add(gain),
            Some(Role::Emulator) => emulator.add(gain),
            None => {}
        }
        if !stays {
            known.remove(&tid);
        }
    }

    /// Ends a reading: every thread was read.
    pub(crate) fn end(
        &mut self,
        process: &mut Process,
        buffer: &mut Vec<u8>,
    ) -> Result<(), Absent> {
        self.unread = Vec::new();
        let counts = self.known.values().any(|thread| thread.last.run > 0);
        self.lack = (!counts).then(|| self.lack_so_far.clone());
        self.nameless = if self.are_named() { None } else { Some(self.nameless(process, buffer)?) };
        process.check((), buffer)
    }

    fn nameless(&self, process: &mut Process, buffer: &mut Vec<u8>) -> Result<Absent, Absent> {
        let is_qemu = is_qemu(process.stat(buffer)?.comm);
        let is_young = process.age(buffer).is_some_and(|age| age < STARTING);
        Ok(if !is_qemu {
            NO_VCPUS_YET
        } else if is_young || self.known.len() < 2 {
            NAMELESS_YET
        } else {
            NAMELESS
        })
    }

    /// Whether vCPUs can be told from other threads.
    pub(crate) fn are_named(&self) -> bool {
        !self.vcpus.is_empty()
    }

    /// The numbers of the vCPUs that there are or were, in order.
    pub(crate) fn vcpus(&self) -> impl Iterator<Item = u32> {
        self.vcpus.keys().copied()
    }

    /// Whether there is or was one of that number.
    pub(crate) fn has_vcpu(&self, number: u32) -> bool {
        self.vcpus.contains_key(&number)
    }

    /// The threads of now that are vCPUs'.
    pub(crate) fn of_vcpus(&self) -> Result<impl Iterator<Item = Task>, Absent> {
        let tasks = self.known.iter().filter_map(|(tid, thread)| {
            matches!(thread.role, Some(Role::Vcpu(_))).then_some((*tid, thread.inode))
        });
        self.named().map(|()| tasks)
    }

    /// The others, each with its times since it began.
    pub(crate) fn others(&self) -> impl Iterator<Item = (Task, Times)> {
        self.known.iter().filter_map(|(tid, thread)| match thread.role? {
            Role::Vcpu(_) => None,
            Role::Iothread | Role::Emulator => Some(((*tid, thread.inode), thread.last)),
        })
    }

    /// All vCPUs together.
    pub(crate) fn all_vcpus(&self) -> Result<Times, Absent> {
        self.told()?;
        Ok(self.vcpus.values().fold(Times::default(), |mut sum, vcpu| {
            sum.add(*vcpu);
            sum
        }))
    }

    /// What each vCPU waited, as [`Bounds`](crate::Bounds) has it: at most 4 bytes times
    /// [`VCPUS_MAX`](crate::vmm::role::VCPUS_MAX), which is 32 KiB.
    pub(crate) fn vcpu_delays(&self) -> Result<Arc<[u32]>, Absent> {
        self.told()?;
        let mut delays = Vec::new();
        for (number, times) in &self.vcpus {
            delays.resize(usize::try_from(*number).unwrap_or_default(), 0);
            let micros = times.delay / 1000 % (u64::from(u32::MAX) + 1);
            delays.push(u32::try_from(micros).unwrap_or_default());
        }
        Ok(delays.into())
    }

    pub(crate) fn vcpu(&self, number: Option<u32>) -> Result<Times, Absent> {
        self.told()?;
        number.and_then(|number| self.vcpus.get(&number)).copied().ok_or(NO_SUCH_VCPU)
    }

    pub(crate) fn emulator(&self) -> Result<Times, Absent> {
        self.told().map(|()| self.emulator)
    }

    pub(crate) fn iothreads(&self) -> Result<Times, Absent> {
        self.told()?;
        self.iothreads.ok_or(NO_IOTHREAD)
    }

    /// How long the threads that are no vCPUs ran, in nanoseconds.
    pub(crate) fn others_run(&self) -> Result<u64, Absent> {
        let iothreads = self.iothreads.unwrap_or_default();
        Ok(self.emulator()?.run.saturating_add(iothreads.run))
    }

    fn told(&self) -> Result<(), Absent> {
        self.named()?;
        self.lack.clone().map_or(Ok(()), Err)
    }

    fn named(&self) -> Result<(), Absent> {
        self.nameless.clone().map_or(Ok(()), Err)
    }
}

impl Thread {
    /// What it gained since the last reading. A thread begins with its maker's name, and gets
    /// that of a vCPU or an iothread a little later and for good.
    fn read(&mut self, tid: u32, process: &Process, buffer: &mut Vec<u8>) -> Result<Times, Unread> {
        if !matches!(self.role, Some(Role::Vcpu(_) | Role::Iothread)) {
            self.role = Some(Role::of(process.read_thread(tid, "comm", buffer)?.trim_ascii_end()));
        }
        let now = parse(process.read_thread(tid, "schedstat", buffer)?).unwrap_or(self.last);
        let gain = now.gain(self.last);
        self.last = now;
        Ok(gain)
    }
}

/// ```text
/// 26705893 446824 75
/// ```
///
/// Run time and run-queue delay in nanoseconds, and how often it was put on a CPU.
pub(crate) fn parse(text: &[u8]) -> Option<Times> {
    let mut words = words(text);
    Some(Times { run: number(words.next()?)?, delay: number(words.next()?)? })
}
