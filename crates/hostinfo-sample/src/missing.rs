//! What the host was found not to tell, for its administrator.

use hostinfo_catalog::Source;

use crate::Absent;

/// How many lacks are remembered and logged: there are about fifty, each with the few errors
/// that reading a file can end in; guests' files have their process in the path.
const MISSING_MAX: usize = 100;

/// Each lack once, however often it is asked for, with the kernel's file.
#[derive(Default)]
pub(crate) struct Missing(Vec<(&'static str, Absent)>);

impl Missing {
    /// Remembers and logs what is new and has a remedy.
    pub(crate) fn note(&mut self, what: Source, absent: &Absent) {
        let Some(remedy) = &absent.remedy else { return };
        if self.0.len() >= MISSING_MAX || self.0.iter().any(|(_, known)| known == absent) {
            return;
        }
        let file = what.origin();
        tracing::warn!("{file}: {}: {remedy}", absent.reason);
        self.0.push((file, absent.clone()));
    }

    /// In the order in which they were found.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, &Absent)> {
        self.0.iter().map(|(file, absent)| (*file, absent))
    }
}
