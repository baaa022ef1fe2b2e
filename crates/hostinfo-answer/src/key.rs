//! Whose incidents are kept: a guest by what makes it the same one, which its name does not.

use hostinfo_domains::Uuid;
use hostinfo_verdict::Incidents;
use jiff::Timestamp;

/// A guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Key {
    /// libvirt's domain, in every run of it.
    Domain(Uuid),
    /// Without libvirt the process of its VMM.
    Process {
        /// Its number.
        pid: i32,
        /// When it began: field 22 of `/proc/PID/stat`, in clock ticks since boot.
        start: u64,
    },
}

/// Incidents, and whose they are.
#[derive(Debug, Clone, Default)]
pub struct Held {
    key: Option<Key>,
    incidents: Incidents,
}

impl Held {
    /// Those of a guest that were stored.
    pub fn new(key: Key, incidents: Incidents) -> Self {
        Self { key: Some(key), incidents }
    }

    /// Whose they are.
    pub fn key(&self) -> Option<Key> {
        self.key
    }

    /// Those of that guest; none where it is another.
    pub fn of(&self, key: Option<Key>) -> Option<&Incidents> {
        (key.is_some() && self.key == key).then_some(&self.incidents)
    }

    /// Those of that guest, from which on they are no other's.
    pub fn of_mut(&mut self, key: Key) -> &mut Incidents {
        if self.key != Some(key) {
            *self = Self::new(key, Incidents::default());
        }
        &mut self.incidents
    }

    /// Takes in those of a guest that was found to be this one.
    pub fn merge(&mut self, mut other: Self) {
        other.incidents.end();
        self.incidents.merge(other.incidents);
    }

    /// Those of that guest, which has that whole name, to be stored; `None` where nothing is new.
    pub fn store(&mut self, key: Key, name: &str, now: Timestamp) -> Option<Vec<u8>> {
        let is_new = self.key == Some(key) && self.incidents.is_unstored();
        is_new.then(|| self.incidents.store(name, now))
    }

    /// Nobody looks any more: what lasted has ended when it was last seen.
    pub fn end(&mut self) {
        self.incidents.end();
    }
}
