//! What the host was found not to tell, for its administrator.

use hostinfo_catalog::Source;

use crate::Absent;

/// How many lacks are remembered and logged: there are about fifty, each with the few errors
/// that reading a file can end in; guests' files have their process in the path.
const MISSING_MAX: usize = 100;

/// Each lack once, however often it is asked for, with the kernel's file.
#[derive(Default)]
pub(crate) struct Missing {
    known: Vec<(&'static str, Absent)>,
    /// The one that was noted last: rows that stand together often lack the same.
    last: usize,
    /// How often one was met.
    met: u64,
}

impl Missing {
    /// Remembers and logs what is new and has a remedy.
    pub(crate) fn note(&mut self, what: Source, absent: &Absent) {
        let Some(remedy) = &absent.remedy else { return };
        self.met += 1;
        let is_it = |(_, known): &(_, Absent)| known == absent;
        if self.known.get(self.last).is_some_and(is_it) {
            return;
        }
        if let Some(at) = self.known.iter().position(is_it) {
            self.last = at;
            return;
        }
        if self.known.len() >= MISSING_MAX {
            return;
        }
        let file = what.origin();
        tracing::warn!("{file}: {}: {remedy}", absent.reason);
        self.last = self.known.len();
        self.known.push((file, absent.clone()));
    }

    /// In the order in which they were found.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, &Absent)> {
        self.known.iter().map(|(file, absent)| (*file, absent))
    }

    /// How often one was met.
    pub(crate) fn met(&self) -> u64 {
        self.met
    }
}
