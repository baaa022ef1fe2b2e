//! The CPUs that threads may run on: sched_getaffinity(2), or `Cpus_allowed_list` of
//! `/proc/PID/task/*/status`.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity};

use crate::root::PAGE_BYTES;
use crate::text::lines;
use crate::vmm::process::Process;
use crate::vmm::threads::Task;
use crate::{Absent, cpulist};

/// The most threads whose list is found for one sample, at some 6 us each from a file: under 1 ms. If a
/// guest has more threads, it takes several samples until all are known; they are then read again in turn.
const READS_MAX: usize = 128;

const UNTOLD: Absent = Absent::untold_of_guest("/proc/PID/task/*/status lacks Cpus_allowed_list");
const NO_LIST: Absent =
    Absent::untold("Cpus_allowed_list of /proc/PID/task/*/status is not a list of CPUs");

/// Threads' lists as last read.
#[derive(Clone, Default)]
pub(crate) struct Affinities {
    known: HashMap<Task, Known>,
    /// Each distinct list once: most threads have the same one.
    lists: HashSet<Arc<[u32]>>,
    round: u64,
}

#[derive(Clone)]
struct Known {
    /// When it was read.
    round: u64,
    list: Result<Arc<[u32]>, Absent>,
}

impl Affinities {
    /// Reads the lists of some of the existing threads: first the new ones, then those read least
    /// recently.
    pub(crate) fn renew(
        &mut self,
        threads: impl Iterator<Item = Task>,
        process: &Process,
        buffer: &mut Vec<u8>,
    ) {
        self.round += 1;
        let mut known = HashMap::new();
        let mut by_age: Vec<_> = threads
            .map(|task| {
                let before = self.known.remove(&task);
                let round = before.as_ref().map_or(0, |known| known.round);
                known.extend(before.map(|before| (task, before)));
                (round, task)
            })
            .collect();
        self.known = known;
        by_age.sort_unstable();
        for (_, task) in by_age.into_iter().take(READS_MAX) {
            let (tid, _) = task;
            let list = match ask(tid, process, buffer) {
                Some(list) => Ok(list),
                None => read(tid, process, buffer),
            };
            let list = list.map(|list| self.once(&list));
            self.known.insert(task, Known { round: self.round, list });
        }
        self.lists.retain(|list| Arc::strong_count(list) > 1);
    }

    fn once(&mut self, list: &[u32]) -> Arc<[u32]> {
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

/// A thread's list from the kernel, which takes a fifth of the time of reading 60 lines for one. `None` if the
/// kernel does not know the thread by this number, has CPUs beyond 1,024, or may not be asked.
fn ask(tid: u32, process: &Process, buffer: &mut Vec<u8>) -> Option<Vec<u32>> {
    if !process.has_own_numbers() {
        return None;
    }
    let set = sched_getaffinity(Pid::from_raw(i32::try_from(tid).ok()?)).ok()?;
    // Its process still has a thread of that number, so the set was not that of another process's.
    process.read_thread(tid, "schedstat", buffer).ok()?;
    let count = usize::try_from(set.count()).ok()?;
    let cpus = (0..CpuSet::MAX_CPU).filter(|cpu| set.is_set(*cpu)).take(count);
    cpus.map(|cpu| u32::try_from(cpu).ok()).collect()
}

/// The same from its file.
fn read(tid: u32, process: &Process, buffer: &mut Vec<u8>) -> Result<Vec<u32>, Absent> {
    match process.read(&format!("task/{tid}/status"), PAGE_BYTES, buffer) {
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
        assert_eq!(ask(number(tid), &process, &mut buffer), None, "not seen yet");
        process.stat(&mut buffer).unwrap();
        for set in [before, last] {
            sched_setaffinity(Some(tid), &set).unwrap();
            let told = ask(number(tid), &process, &mut buffer);
            assert_eq!(told.unwrap(), read(number(tid), &process, &mut buffer).unwrap());
        }
        assert_eq!(ask(1, &process, &mut buffer), None, "another process's");
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
