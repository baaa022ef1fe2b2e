//! `Cpus_allowed_list` of `/proc/PID/task/*/status`: the CPUs that threads may run on.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::Absent;
use crate::root::PAGE_BYTES;
use crate::text::lines;
use crate::vmm::process::Process;
use crate::vmm::threads::Task;

/// The most threads whose file is read for one sample, at some 6 us each: under 1 ms. If a guest
/// has more threads, it takes several samples until all are known; they are then read again in
/// turn.
const READS_MAX: usize = 128;

const UNTOLD: Absent = Absent::untold_of_guest("/proc/PID/task/*/status lacks Cpus_allowed_list");

/// Threads' lists as last read.
#[derive(Clone, Default)]
pub(crate) struct Affinities {
    known: HashMap<Task, Known>,
    /// Each distinct list once: most threads have the same one.
    lists: HashSet<Arc<[u8]>>,
    round: u64,
}

#[derive(Clone)]
struct Known {
    /// When it was read.
    round: u64,
    list: Result<Arc<[u8]>, Absent>,
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
            let list = match process.read(&format!("task/{tid}/status"), PAGE_BYTES, buffer) {
                Ok(text) => allowed(text).map(|list| self.once(list)).ok_or(UNTOLD),
                Err(unread) => Err(unread.or(UNTOLD)),
            };
            self.known.insert(task, Known { round: self.round, list });
        }
        self.lists.retain(|list| Arc::strong_count(list) > 1);
    }

    fn once(&mut self, list: &[u8]) -> Arc<[u8]> {
        if let Some(list) = self.lists.get(list) {
            return Arc::clone(list);
        }
        let list: Arc<[u8]> = list.into();
        self.lists.insert(Arc::clone(&list));
        list
    }

    /// A thread's list, as [`crate::cpulist`] parses it.
    ///
    /// # Errors
    ///
    /// It cannot be read, or has not been read yet.
    pub(crate) fn list(&self, task: Task) -> Result<Arc<[u8]>, Absent> {
        self.known.get(&task).map_or(Err(Absent::AGAIN), |known| known.list.clone())
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

    #[test]
    fn the_list_of_allowed_cpus_is_a_line_of_many() {
        let text = b"Cpus_allowed:\t13\nCpus_allowed_list:\t0-1,4\nMems_allowed:\t1\n";
        assert_eq!(allowed(text), Some(&b"0-1,4"[..]));
        assert_eq!(allowed(b"Cpus_allowed:\t13\n"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_answer(bytes: Vec<u8>, text in "(Cpus_allowed_list:?[0-9,\t-]{0,9}\n?){0,3}") {
            let _ = (allowed(&bytes), allowed(text.as_bytes()));
        }
    }
}
