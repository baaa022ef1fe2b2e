//! What the host and its guests were found to lack, for the administrator.

use std::collections::HashMap;

use hostinfo_catalog::Source;
use serde::{Deserialize, Serialize};

use crate::{Absent, Lack};

/// How many lacks of the host are remembered and logged: there are about fifty.
const OF_HOST_MAX: usize = 100;

/// How many for each guest: there are about fifteen, whatever the errors. They take at most some 3
/// KB per guest, and as many lines in the log for as long as the guest is known.
const OF_GUEST_MAX: usize = 32;

/// Each lack once, however often it occurs and however many CPUs or files have it, with the
/// kernel's file that revealed it.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Missing {
    #[serde(skip)]
    host: Lacks,
    #[serde(skip)]
    guests: HashMap<Box<str>, Lacks, lru::DefaultHasher>,
    /// How often a fault occurred.
    faults: u64,
}

/// In the order in which they were found.
#[derive(Default)]
struct Lacks {
    known: Vec<Known>,
    /// The most recent one: neighbouring rows often lack the same.
    last: usize,
}

struct Known {
    file: &'static str,
    absent: Absent,
    /// The last statistic that lacked it; `None` if that one has a value again.
    of: Option<Source>,
}

impl Missing {
    /// Records whether a statistic of the host was absent. Logs a new lack.
    pub(crate) fn note(&mut self, what: Source, absent: Option<&Absent>) {
        match absent.filter(|absent| absent.lack != Lack::Passing) {
            None => self.host.mend(what),
            Some(absent) => self.add(None, what, absent),
        }
    }

    /// The same for a guest. Its files get other names at each start, so the same lack with another
    /// error is not new.
    pub(crate) fn note_of(&mut self, guest: &str, what: Source, absent: Option<&Absent>) {
        let Some(absent) = absent.filter(|absent| absent.lack != Lack::Passing) else {
            self.guests.get_mut(guest).into_iter().for_each(|lacks| lacks.mend(what));
            return self.host.mend(what);
        };
        if absent.is_of_host() {
            return self.add(None, what, absent);
        }
        self.add(Some(guest), what, absent);
    }

    /// Counts a lack of a guest, or of all the host, and logs it if it is new.
    fn add(&mut self, guest: Option<&str>, what: Source, absent: &Absent) {
        self.faults += u64::from(absent.remedy().is_some());
        let is_new = match guest.map(|guest| (guest, self.guests.get_mut(guest))) {
            None => self.host.add(what, absent, OF_HOST_MAX),
            Some((_, Some(lacks))) => lacks.add(what, absent, OF_GUEST_MAX),
            Some((guest, None)) => {
                let lacks = self.guests.entry(guest.into()).or_default();
                lacks.add(what, absent, OF_GUEST_MAX)
            }
        };
        if !is_new {
            return;
        }
        let (file, of_guest) = (what.origin(), guest.map(|guest| format!(" of guest {guest}")));
        let of_guest = of_guest.unwrap_or_default();
        match absent.advice() {
            Some(advice) => tracing::warn!(guest, "{file}{of_guest}: {advice}"),
            None => {
                tracing::info!(guest, "{file}{of_guest}: nothing is wrong: {}", absent.without());
            }
        }
    }

    /// Forgets a guest.
    pub(crate) fn forget(&mut self, guest: &str) {
        self.guests.remove(guest);
    }

    /// The host's lacks with their files: what is wrong, and what the host does without.
    pub(crate) fn of_host(&self) -> impl Iterator<Item = (&'static str, &Absent)> {
        self.host.iter()
    }

    /// What is wrong with guests, each with the guest's name.
    pub(crate) fn of_guests(&self) -> impl Iterator<Item = (&str, &'static str, &Absent)> {
        let guests = self.guests.iter();
        let all = guests
            .flat_map(|(guest, lacks)| lacks.iter().map(|(file, absent)| (&**guest, file, absent)));
        all.filter(|(_, _, absent)| absent.remedy().is_some())
    }

    /// Counts faults that are known already.
    pub(crate) fn count_again(&mut self, times: u64) {
        self.faults = self.faults.saturating_add(times);
    }

    /// How often a fault occurred, for the host and all guests.
    pub(crate) fn faults(&self) -> u64 {
        self.faults
    }
}

impl Lacks {
    /// True if it was not known, and there is room for it.
    fn add(&mut self, what: Source, absent: &Absent, bound: usize) -> bool {
        let file = what.origin();
        let is_it = |known: &Known| known.absent.is_like(absent, known.file == file);
        if !self.known.get(self.last).is_some_and(is_it) {
            self.last = self.known.iter().position(is_it).unwrap_or(self.known.len());
        }
        if let Some(known) = self.known.get_mut(self.last) {
            known.of = Some(what);
            known.absent.count = absent.count;
            return false;
        }
        let has_room = self.known.len() < bound;
        if has_room {
            // Most guests lack one thing, and a vector begins with room for four.
            self.known.reserve_exact(1);
            self.known.push(Known { file, absent: absent.clone(), of: Some(what) });
        }
        has_room
    }

    /// A statistic has a value, or lacks it only for now.
    fn mend(&mut self, what: Source) {
        for known in self.known.iter_mut().filter(|known| known.of == Some(what)) {
            known.of = None;
        }
    }

    fn iter(&self) -> impl Iterator<Item = (&'static str, &Absent)> {
        self.known
            .iter()
            .filter(|known| known.of.is_some())
            .map(|known| (known.file, &known.absent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostinfo_catalog::source::Vmm;

    const CPU: Source = Source::Vmm(Vmm::Weight);
    const MEMORY: Source = Source::Vmm(Vmm::MemoryLimit);

    fn lack(reason: &'static str, error: &str) -> Absent {
        Absent { error: Some(error.to_owned()), ..Absent::new(reason, "do something") }
    }

    fn lines(missing: &Missing) -> Vec<String> {
        let mut lines: Vec<String> = missing
            .of_guests()
            .map(|(guest, file, absent)| format!("{guest}: {file}: {}", absent.advice().unwrap()))
            .collect();
        lines.sort();
        lines
    }

    #[test]
    fn each_guests_lack_is_told_with_its_name_once_whatever_its_process_is_called() {
        let mut missing = Missing::default();
        for guest in 0..1000 {
            for start in 0..3 {
                let process = format!("/proc/{guest}{start}/stat: Permission denied");
                missing.note_of(&format!("qemu-{guest}"), CPU, Some(&lack("unseen", &process)));
            }
        }
        assert_eq!((lines(&missing).len(), missing.faults()), (1000, 3000));
        let first = &lines(&missing)[0];
        assert!(first.starts_with("qemu-0: cgroup cpu.weight"), "{first}");
        assert!(
            first.ends_with("unseen: do something (/proc/00/stat: Permission denied)"),
            "{first}"
        );
    }

    #[test]
    fn a_guests_lacks_leave_room_for_those_of_others_and_of_the_host() {
        let mut missing = Missing::default();
        for number in 0..1000 {
            let lack = Absent::new(Box::leak(number.to_string().into_boxed_str()), "do something");
            missing.note_of("qemu-a", CPU, Some(&lack));
        }
        assert_eq!(lines(&missing).len(), OF_GUEST_MAX);
        missing.note_of("qemu-b", CPU, Some(&lack("unseen", "x")));
        missing.note(CPU, Some(&lack("unseen", "x")));
        assert_eq!((lines(&missing).len(), missing.of_host().count()), (OF_GUEST_MAX + 1, 1));
    }

    #[test]
    fn a_lack_that_many_cpus_or_files_share_is_one_lack_with_a_count() {
        let mut missing = Missing::default();
        for cpu in 0..64 {
            missing.note(CPU, Some(&lack("this host has none", &format!("cpu{cpu}")).of(64)));
        }
        missing.note(MEMORY, Some(&lack("this host has none", "memory").of(64)));
        let lacks: Vec<_> = missing.of_host().collect();
        let [(file, absent)] = lacks[..] else { panic!("{lacks:?}") };
        assert_eq!((file, absent.count), (CPU.origin(), 64));
        let advice = absent.advice().unwrap();
        assert_eq!(advice, "this host has none: do something (64 times; first cpu0)");
    }

    #[test]
    fn files_that_cannot_be_read_are_told_apart() {
        let mut missing = Missing::default();
        for what in [CPU, MEMORY, CPU] {
            missing.note(what, Some(&Absent::UNREAD));
        }
        assert_eq!(missing.of_host().count(), 2);
    }

    #[test]
    fn a_source_that_a_host_cannot_have_is_remembered_and_no_fault() {
        let mut missing = Missing::default();
        missing.note(CPU, Some(&Absent::unsupported("this host has no meter")));
        missing.note(MEMORY, Some(&Absent::chosen("this host has no swap")));
        missing.note(MEMORY, Some(&Absent::AGAIN));
        let lacks: Vec<_> = missing.of_host().map(|(_, absent)| absent.to_string()).collect();
        assert_eq!((lacks, missing.faults()), (vec!["this host has no meter".to_owned()], 0));
    }

    #[test]
    fn a_source_that_no_guest_has_is_the_hosts_lack_and_reported_once() {
        let mut missing = Missing::default();
        for guest in ["qemu-a", "qemu-b"] {
            let process = format!("/proc/{guest}/schedstat: No such file or directory");
            missing.note_of(guest, CPU, Some(&lack("this host does not tell", &process)));
        }
        assert_eq!((lines(&missing).len(), missing.of_host().count()), (0, 1));
        missing.note_of("qemu-a", CPU, None);
        assert_eq!(missing.of_host().count(), 0);
    }

    #[test]
    fn a_source_that_a_guest_chose_to_do_without_is_no_fault() {
        let mut missing = Missing::default();
        let without = Absent::optional("this guest has none", "turn it on");
        missing.note_of("a", CPU, Some(&without));
        assert_eq!((missing.of_guests().count(), missing.faults()), (0, 0));
        missing.note_of("a", MEMORY, Some(&lack("this guest's is broken", "x")));
        assert_eq!((missing.of_guests().count(), missing.faults()), (1, 1));
    }

    #[test]
    fn mended_lacks_and_those_of_guests_that_are_gone_are_reported_no_more() {
        let mut missing = Missing::default();
        for guest in ["qemu-a", "qemu-b"] {
            missing.note_of(guest, CPU, Some(&lack("unseen", "x")));
            missing.note_of(guest, MEMORY, Some(&lack("unlimited", "x")));
        }
        missing.note_of("qemu-a", CPU, None);
        missing.forget("qemu-b");
        let [left] = &lines(&missing)[..] else { panic!("one") };
        assert!(left.contains("unlimited"), "{left}");
        missing.note_of("qemu-a", MEMORY, Some(&Absent::plain("there is none")));
        assert_eq!(lines(&missing), [""; 0]);
        missing.note_of("qemu-a", MEMORY, Some(&lack("unlimited", "y")));
        assert_eq!(lines(&missing).len(), 1, "it has come again");
        missing.note(CPU, Some(&lack("unseen", "x")));
        missing.note(MEMORY, Some(&lack("unseen", "x")));
        missing.note(CPU, None);
        assert_eq!(missing.of_host().count(), 1, "another lacks it still");
        missing.note(MEMORY, None);
        assert_eq!(missing.of_host().count(), 0);
    }
}
