//! What the host was found not to tell, of itself and of its guests, for its administrator.

use std::collections::HashMap;

use hostinfo_catalog::Source;

use crate::Absent;

/// How many lacks of the host are remembered and logged: there are about fifty, each with the few
/// errors that reading a file can end in.
const OF_HOST_MAX: usize = 100;

/// How many of each guest: there are about fifteen, whatever the errors. A guest has some 3 KB of
/// them at the most, and as many lines in the log for as long as it is known.
const OF_GUEST_MAX: usize = 32;

/// Each lack once, however often it is met, with the kernel's file.
#[derive(Default)]
pub(crate) struct Missing {
    host: Lacks,
    guests: HashMap<Box<str>, Lacks>,
    /// How often one was met.
    met: u64,
}

/// In the order in which they were found.
#[derive(Default)]
struct Lacks {
    known: Vec<Lack>,
    /// The one that was met last: rows that stand together often lack the same.
    last: usize,
}

struct Lack {
    file: &'static str,
    absent: Absent,
    /// The statistic that met it last; `None` where that one has a value again.
    of: Option<Source>,
}

impl Missing {
    /// Remembers what became of a statistic of the host: that it was absent, or not. Logs what is
    /// new and has a remedy.
    pub(crate) fn note(&mut self, what: Source, absent: Option<&Absent>) {
        let Some(absent) = absent.filter(|absent| absent.remedy.is_some()) else {
            return self.host.mend(what);
        };
        self.met += 1;
        if self.host.add(what, absent, OF_HOST_MAX, Absent::eq) {
            tracing::warn!("{}: {}", what.origin(), absent.advice().unwrap_or_default());
        }
    }

    /// The same of a guest. Its files have other names whenever it is started, so that the same lack
    /// with another error is none that is new.
    pub(crate) fn note_of(&mut self, guest: &str, what: Source, absent: Option<&Absent>) {
        let Some(absent) = absent.filter(|absent| absent.remedy.is_some()) else {
            self.guests.get_mut(guest).into_iter().for_each(|lacks| lacks.mend(what));
            return self.host.mend(what);
        };
        self.met += 1;
        let (file, advice) = (what.origin(), absent.advice().unwrap_or_default());
        if absent.is_of_host() {
            if self.host.add(what, absent, OF_HOST_MAX, Absent::is_like) {
                tracing::warn!("{file}: {advice}");
            }
            return;
        }
        let lacks = self.guests.entry(guest.into()).or_default();
        if lacks.add(what, absent, OF_GUEST_MAX, Absent::is_like) {
            tracing::warn!(guest, "{file}: {advice}");
        }
    }

    /// Forgets a guest.
    pub(crate) fn forget(&mut self, guest: &str) {
        self.guests.remove(guest);
    }

    /// What there is of the host: file and lack.
    pub(crate) fn of_host(&self) -> impl Iterator<Item = (&'static str, &Absent)> {
        self.host.iter()
    }

    /// What there is of guests, with whose it is.
    pub(crate) fn of_guests(&self) -> impl Iterator<Item = (&str, &'static str, &Absent)> {
        let guests = self.guests.iter();
        guests
            .flat_map(|(guest, lacks)| lacks.iter().map(|(file, absent)| (&**guest, file, absent)))
    }

    /// How often one was met, of whomever.
    pub(crate) fn met(&self) -> u64 {
        self.met
    }
}

impl Lacks {
    /// True where it was not known, and there is room for it.
    fn add(
        &mut self,
        what: Source,
        absent: &Absent,
        bound: usize,
        is_same: impl Fn(&Absent, &Absent) -> bool,
    ) -> bool {
        let is_it = |lack: &Lack| is_same(&lack.absent, absent);
        if !self.known.get(self.last).is_some_and(is_it) {
            self.last = self.known.iter().position(is_it).unwrap_or(self.known.len());
        }
        if let Some(lack) = self.known.get_mut(self.last) {
            lack.of = Some(what);
            return false;
        }
        let has_room = self.known.len() < bound;
        if has_room {
            let lack = Lack { file: what.origin(), absent: absent.clone(), of: Some(what) };
            self.known.push(lack);
        }
        has_room
    }

    /// A statistic has a value, or lacks nothing that could be mended.
    fn mend(&mut self, what: Source) {
        for lack in self.known.iter_mut().filter(|lack| lack.of == Some(what)) {
            lack.of = None;
        }
    }

    fn iter(&self) -> impl Iterator<Item = (&'static str, &Absent)> {
        self.known.iter().filter(|lack| lack.of.is_some()).map(|lack| (lack.file, &lack.absent))
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

    fn told(missing: &Missing) -> Vec<String> {
        let mut told: Vec<String> = missing
            .of_guests()
            .map(|(guest, file, absent)| format!("{guest}: {file}: {}", absent.advice().unwrap()))
            .collect();
        told.sort();
        told
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
        assert_eq!((told(&missing).len(), missing.met()), (1000, 3000));
        let first = &told(&missing)[0];
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
        assert_eq!(told(&missing).len(), OF_GUEST_MAX);
        missing.note_of("qemu-b", CPU, Some(&lack("unseen", "x")));
        missing.note(CPU, Some(&lack("unseen", "x")));
        missing.note(CPU, Some(&lack("unseen", "another file")));
        assert_eq!((told(&missing).len(), missing.of_host().count()), (OF_GUEST_MAX + 1, 2));
    }

    #[test]
    fn what_no_guest_can_have_is_the_hosts_lack_and_told_once() {
        let mut missing = Missing::default();
        for guest in ["qemu-a", "qemu-b"] {
            let process = format!("/proc/{guest}/schedstat: No such file or directory");
            missing.note_of(guest, CPU, Some(&lack("this host does not tell", &process)));
        }
        assert_eq!((told(&missing).len(), missing.of_host().count()), (0, 1));
        missing.note_of("qemu-a", CPU, None);
        assert_eq!(missing.of_host().count(), 0);
    }

    #[test]
    fn what_was_mended_and_who_is_gone_is_told_no_more() {
        let mut missing = Missing::default();
        for guest in ["qemu-a", "qemu-b"] {
            missing.note_of(guest, CPU, Some(&lack("unseen", "x")));
            missing.note_of(guest, MEMORY, Some(&lack("unlimited", "x")));
        }
        missing.note_of("qemu-a", CPU, None);
        missing.forget("qemu-b");
        let [left] = &told(&missing)[..] else { panic!("one") };
        assert!(left.contains("unlimited"), "{left}");
        missing.note_of("qemu-a", MEMORY, Some(&Absent::plain("there is none")));
        assert_eq!(told(&missing), [""; 0]);
        missing.note_of("qemu-a", MEMORY, Some(&lack("unlimited", "y")));
        assert_eq!(told(&missing).len(), 1, "it has come again");
        missing.note(CPU, Some(&lack("unseen", "x")));
        missing.note(MEMORY, Some(&lack("unseen", "x")));
        missing.note(CPU, None);
        assert_eq!(missing.of_host().count(), 1, "another lacks it still");
        missing.note(MEMORY, None);
        assert_eq!(missing.of_host().count(), 0);
    }
}
