//! How long the VMM's threads ran and waited. `thread` reads one of them, `sums` adds them up.

mod sums;
mod thread;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::root::{Numbered, numbered};
use crate::vmm::affinity::{self, Affinities};
use crate::vmm::name::is_qemu;
use crate::vmm::process::{Process, UNSEEN};
use crate::vmm::role::Role;
use crate::{Absent, Moment};
use thread::Thread;
pub(crate) use thread::{Times, parse};

/// The most threads read: 4,096 vCPUs, and as many threads that serve them.
const THREADS_MAX: usize = 8192;

const NAMELESS: Absent = Absent::new(
    "this guest's VMM does not name its threads",
    "start QEMU with -name NAME,debug-threads=on",
);
/// The same while it starts: nothing needs mending.
const NAMELESS_YET: Absent = Absent::plain("this guest's VMM does not name its threads");
/// Other VMMs always name them.
const NO_VCPUS_YET: Absent = Absent::plain("this guest's vCPUs have not started");
const LACK: Absent = Absent::untold(
    "/proc/PID/task/TID/schedstat is missing or all 0: the kernel needs CONFIG_SCHED_INFO",
);

/// How long after its start QEMU may not have its vCPU threads yet: it sets up its memory first,
/// and with `prealloc=on` it touches all of it. A guest of 1 TiB takes about a minute.
const STARTING: Duration = Duration::from_secs(60);

/// Sums over current and past threads.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Threads {
    known: BTreeMap<u32, Thread>,
    vcpus: BTreeMap<u32, Times>,
    iothreads: Option<Times>,
    emulator: Times,
    /// Why the last reading found no times.
    lack: Option<Absent>,
    /// Why it found no vCPUs.
    nameless: Option<Absent>,
    /// Threads still to be read in this reading.
    #[serde(skip)]
    unread: Vec<u32>,
    /// Why this reading has found no times so far.
    #[serde(skip, default = "none_found")]
    lack_so_far: Absent,
    /// [`Reader::opened`](crate::open_files::Reader::opened) when this reading began.
    #[serde(skip)]
    opened: u64,
    /// Whether the last reading opened no file.
    #[serde(skip)]
    all_were_open: bool,
    /// Whether the threads were listed for this reading.
    #[serde(skip)]
    is_listed: bool,
}

/// For a reading that has not begun.
fn none_found() -> Absent {
    LACK
}

impl Default for Threads {
    fn default() -> Self {
        Self {
            known: BTreeMap::new(),
            vcpus: BTreeMap::new(),
            iothreads: None,
            emulator: Times::default(),
            lack: None,
            nameless: None,
            unread: Vec::new(),
            lack_so_far: LACK,
            opened: 0,
            all_were_open: false,
            is_listed: false,
        }
    }
}

/// A thread: its number, and the inode of its directory.
pub(crate) type Task = (u32, u64);

impl Threads {
    /// Adds what the threads gained since the last reading. Anything a thread gained between that
    /// reading and its end is lost. See [`Self::begin`].
    pub(crate) fn read(
        &mut self,
        count: Option<u64>,
        mut affinities: Option<&mut Affinities>,
        at: Moment,
        process: &mut Process,
        buffer: &mut Vec<u8>,
    ) -> Result<(), Absent> {
        self.begin(count, process)?;
        while self.has_unread() {
            self.go_on(usize::MAX, affinities.as_deref_mut(), at, process, buffer);
        }
        self.end(process, buffer)
    }

    /// Begins a reading. `count` is how many threads the process had a moment ago: if as many are known and all of
    /// them can still be read, there are no others, and listing them would take as long as reading five.
    pub(crate) fn begin(&mut self, count: Option<u64>, process: &Process) -> Result<(), Absent> {
        let are_as_many = u64::try_from(self.known.len()).ok() == count;
        self.is_listed = false;
        if !(are_as_many && self.all_were_open) {
            self.list(process)?;
        }
        self.opened = process.roots.opened();
        self.unread = self.known.keys().copied().collect();
        self.lack_so_far = LACK;
        Ok(())
    }

    /// Lists the threads. The new ones are still to be read.
    fn list(&mut self, process: &Process) -> Result<(), Absent> {
        self.is_listed = true;
        for Numbered { number, inode } in
            numbered(process.threads(), "", THREADS_MAX).map_err(|e| e.or(UNSEEN))?
        {
            match self.known.entry(number) {
                // A thread that started since then is new, with all its time.
                Entry::Vacant(place) => {
                    place.insert(Thread::new(inode, Times::default()));
                    self.unread.push(number);
                }
                Entry::Occupied(mut place) if place.get().inode != inode => {
                    let last = place.get().last;
                    place.insert(Thread::new(inode, last));
                }
                Entry::Occupied(_) => {}
            }
        }
        Ok(())
    }

    /// Whether a reading has begun and still has threads to read.
    pub(crate) fn has_unread(&self) -> bool {
        !self.unread.is_empty()
    }

    /// Ends a reading that has threads left.
    pub(crate) fn give_up(&mut self) {
        self.unread = Vec::new();
    }

    /// Reads at most this many more threads, and returns how many it read. With `affinities`, it also notes which CPUs
    /// each vCPU may run on: that its file can be read afterwards shows that the thread is still there.
    pub(crate) fn go_on(
        &mut self,
        most: usize,
        mut affinities: Option<&mut Affinities>,
        at: Moment,
        process: &Process,
        buffer: &mut Vec<u8>,
    ) -> usize {
        let first = self.unread.len().saturating_sub(most);
        let now = self.unread.split_off(first);
        for tid in &now {
            self.read_one(*tid, affinities.as_deref_mut(), at, process, buffer);
        }
        now.len()
    }

    fn read_one(
        &mut self,
        tid: u32,
        affinities: Option<&mut Affinities>,
        at: Moment,
        process: &Process,
        buffer: &mut Vec<u8>,
    ) {
        let opened = process.roots.opened();
        let Some(mut thread) = self.known.get(&tid).cloned() else { return };
        let affinities = affinities.filter(|_| matches!(thread.role, Some(Role::Vcpu(_))));
        let mut cpus = affinities.and_then(|all| Some((all, affinity::set_of(tid, process)?)));
        let mut read = thread.read(tid, at, process, buffer);
        // Its file was not open any more: it has ended, and its number may be another thread's.
        if !self.is_listed && process.roots.opened() != opened {
            if let Err(absent) = self.list(process) {
                self.lack_so_far = absent;
            }
            let Some(now) = self.known.get(&tid).cloned() else { return };
            (thread, cpus) = (now, None);
            read = thread.read(tid, at, process, buffer);
        }
        let Self { known, vcpus, iothreads, emulator, lack_so_far, .. } = self;
        // A listing may skip a thread when others end, so only a thread that cannot be read has
        // ended.
        let (gain, stays) = match read {
            Ok(gain) => {
                if let Some((affinities, set)) = cpus {
                    affinities.note((tid, thread.inode), &set, at);
                }
                (gain, true)
            }
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
        match stays {
            true => known.insert(tid, thread),
            false => known.remove(&tid),
        };
    }

    /// Ends a reading, after every thread was read.
    pub(crate) fn end(
        &mut self,
        process: &mut Process,
        buffer: &mut Vec<u8>,
    ) -> Result<(), Absent> {
        self.unread = Vec::new();
        self.all_were_open = process.roots.opened() == self.opened;
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
}
