//! The CPUs that threads may run on: sched_getaffinity(2), or `Cpus_allowed_list` of
//! `/proc/PID/task/*/status`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity};

use crate::root::STATUS_BYTES;
use crate::text::lines;
use crate::vmm::process::Process;
use crate::vmm::threads::Task;
use crate::{Absent, Moment, cpulist};

/// The most threads whose list is found for one sample, at some 6 us each from a file: under 1 ms. If a
/// guest has more threads, it takes several samples until all are known; they are then read again in turn.
const READS_MAX: usize = 128;

const UNTOLD: Absent = Absent::untold_of_guest("/proc/PID/task/*/status lacks Cpus_allowed_list");
const NO_LIST: Absent =
    Absent::untold("Cpus_allowed_list of /proc/PID/task/*/status is not a list of CPUs");

/// Threads' lists as last read.
#[derive(Clone, Default)]
pub(crate) struct Affinities {
    known: BTreeMap<Task, Known>,
    /// Each distinct list once: most threads have the same one.
    lists: BTreeSet<Arc<[u32]>>,
    /// The last one that the kernel gave.
    last: Option<Box<(CpuSet, Arc<[u32]>)>>,
}

#[derive(Clone)]
struct Known {
    /// The slot in which it was read.
    slot: u64,
    list: Result<Arc<[u32]>, Absent>,
}

impl Affinities {
    /// Takes the list of a thread that was asked for in this slot: see [`set_of`].
    pub(crate) fn note(&mut self, task: Task, set: &CpuSet, at: Moment) {
        let list = self.list_of(set);
        self.known.insert(task, Known { slot: at.slot(), list: Ok(list) });
    }

    /// Reads the lists of some of the existing threads that were not noted in this slot: first the new ones, then
    /// those read least recently.
    pub(crate) fn renew(
        &mut self,
        threads: impl Iterator<Item = Task>,
        at: Moment,
        process: &Process,
        buffer: &mut Vec<u8>,
    ) {
        let mut threads: Vec<_> = threads.collect();
        threads.sort_unstable();
        self.known.retain(|task, _| threads.binary_search(task).is_ok());
        let slot_of = |task| (self.known.get(&task).map(|known| known.slot), task);
        let mut by_age: Vec<_> = threads.into_iter().map(slot_of).collect();
        by_age.retain(|(slot, _)| *slot != Some(at.slot()));
        by_age.sort_unstable();
        for (_, task) in by_age.into_iter().take(READS_MAX) {
            let (tid, _) = task;
            let list = match ask(tid, process, buffer) {
                Some(set) => Ok(self.list_of(&set)),
                None => read(tid, process, buffer).map(|list| self.interned(&list)),
            };
            self.known.insert(task, Known { slot: at.slot(), list });
        }
        self.last = None;
        self.lists.retain(|list| Arc::strong_count(list) > 1);
    }

    /// The numbers of the CPUs in a set. Most threads have the same one as the thread before.
    fn list_of(&mut self, set: &CpuSet) -> Arc<[u32]> {
        if let Some(last) = self.last.as_ref().filter(|last| last.0 == *set) {
            return Arc::clone(&last.1);
        }
        let count = usize::try_from(set.count()).unwrap_or(CpuSet::MAX_CPU);
        let cpus = (0..CpuSet::MAX_CPU).filter(|cpu| set.is_set(*cpu)).take(count);
        let list =
            self.interned(&cpus.filter_map(|cpu| u32::try_from(cpu).ok()).collect::<Vec<_>>());
        self.last = Some(Box::new((*set, Arc::clone(&list))));
        list
    }

    fn interned(&mut self, list: &[u32]) -> Arc<[u32]> {
        if let Some(list) = self.lists.get(list) {
            return Arc::clone(list);
        }
        let list: Arc<[u32]> = list.into();
        self.lists.insert(Arc::clone(&list));
        list
    }

    /// A thread's list, in order.
    ///
    /// # Errors
    ///
    /// It cannot be read, or has not been read yet.
    pub(crate) fn list(&self, task: Task) -> Result<Arc<[u32]>, Absent> {
        self.known.get(&task).map_or(Err(Absent::AGAIN), |known| known.list.clone())
    }
}

/// The CPUs that a thread may run on, from sched_getaffinity(2). That takes a fifth of the time of reading the 60 lines
/// of its `status` for one of them.
/// The set is the thread's only if a file of the thread can be read afterwards: its number may be that of another
/// process's thread. `None` if the kernel does not know the thread by this number, has CPUs beyond 1,024, or may not
/// be asked.
pub(crate) fn set_of(tid: u32, process: &Process) -> Option<CpuSet> {
    if !process.has_own_numbers() {
        return None;
    }
    sched_getaffinity(Pid::from_raw(i32::try_from(tid).ok()?)).ok()
}

/// The same of a thread that its process still has.
fn ask(tid: u32, process: &Process, buffer: &mut Vec<u8>) -> Option<CpuSet> {
    let set = set_of(tid, process)?;
    process.read_thread(tid, "schedstat", buffer).ok().map(|_| set)
}

/// The same from its file.
fn read(tid: u32, process: &Process, buffer: &mut Vec<u8>) -> Result<Vec<u32>, Absent> {
    match process.read(&format!("task/{tid}/status"), STATUS_BYTES, buffer) {
        Ok(text) => cpulist::parse(allowed(text).ok_or(UNTOLD)?).ok_or(NO_LIST),
        Err(unread) => Err(unread.or(UNTOLD)),
    }
}

/// ```text
/// Cpus_allowed_list: 0-1,4
/// ```
pub(crate) fn allowed(text: &[u8]) -> Option<&[u8]> {
    let mut lists = lines(text).filter_map(|line| line.strip_prefix(b"Cpus_allowed_list:"));
    lists.next().map(<[u8]>::trim_ascii)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rustix::thread::{gettid, sched_setaffinity};

    use crate::open_files::Reader;
    use crate::{OpenFiles, Roots, Units};

    #[test]
    fn the_list_of_allowed_cpus_is_a_line_of_many() {
        let text = b"Cpus_allowed:\t13\nCpus_allowed_list:\t0-1,4\nMems_allowed:\t1\n";
        assert_eq!(allowed(text), Some(&b"0-1,4"[..]));
        assert_eq!(allowed(b"Cpus_allowed:\t13\n"), None);
    }

    #[test]
    fn the_kernel_names_the_same_cpus_as_the_file_and_only_of_the_processs_own_threads() {
        let own = Pid::from_raw(i32::try_from(std::process::id()).unwrap()).unwrap();
        let mut process = process_of(own);
        let (tid, mut buffer) = (gettid(), Vec::new());
        let before = sched_getaffinity(Some(tid)).unwrap();
        let mut last = CpuSet::new();
        last.set((0..CpuSet::MAX_CPU).rfind(|cpu| before.is_set(*cpu)).unwrap());
        let number = |tid: Pid| u32::try_from(tid.as_raw_nonzero().get()).unwrap();
        assert!(ask(number(tid), &process, &mut buffer).is_none(), "not seen yet");
        process.stat(&mut buffer).unwrap();
        for set in [before, last] {
            sched_setaffinity(Some(tid), &set).unwrap();
            let told = ask(number(tid), &process, &mut buffer).unwrap();
            let list = read(number(tid), &process, &mut buffer).unwrap();
            assert_eq!(*Affinities::default().list_of(&told), *list);
        }
        assert!(ask(1, &process, &mut buffer).is_none(), "another process's");
    }

    fn process_of(pid: Pid) -> Process {
        let reader = Reader::new(Roots::default(), OpenFiles::default());
        Process::new(reader, Units::default(), pid.as_raw_nonzero().get(), None)
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_answer(bytes: Vec<u8>, text in "(Cpus_allowed_list:?[0-9,\t-]{0,9}\n?){0,3}") {
            let _ = (allowed(&bytes), allowed(text.as_bytes()));
        }
    }
}
