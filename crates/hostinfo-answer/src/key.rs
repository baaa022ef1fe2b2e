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

/// Incidents, and whose they are: a pointer for each guest, of which nearly none has any.
#[derive(Debug, Clone, Default)]
pub struct Held(Option<Box<(Key, Incidents)>>);

impl Held {
    /// Those of a guest that were stored.
    pub fn new(key: Key, incidents: Incidents) -> Self {
        Self(Some(Box::new((key, incidents))))
    }

    /// Whose they are.
    pub fn key(&self) -> Option<Key> {
        self.0.as_ref().map(|held| held.0)
    }

    /// Those of that guest; none where it is another.
    pub fn of(&self, key: Option<Key>) -> Option<&Incidents> {
        self.0.as_deref().filter(|(own, _)| Some(*own) == key).map(|(_, incidents)| incidents)
    }

    /// Those of that guest, from which on they are no other's.
    pub fn of_mut(&mut self, key: Key) -> &mut Incidents {
        self.0.take_if(|held| held.0 != key);
        &mut self.0.get_or_insert_with(|| Box::new((key, Incidents::default()))).1
    }

    /// Takes in those of a guest that was found to be this one.
    pub fn merge(&mut self, mut other: Self) {
        other.end();
        if let (Some(held), Some(other)) = (&mut self.0, other.0) {
            held.1.merge(other.1);
        }
    }

    /// Those of that guest, which has that whole name, to be stored; `None` where nothing is new.
    pub fn store(&mut self, key: Key, name: &str, now: Timestamp) -> Option<Vec<u8>> {
        let (own, incidents) = self.0.as_deref_mut()?;
        let is_new = *own == key && incidents.is_unstored();
        is_new.then(|| incidents.store(name, now))
    }

    /// Nobody looks any more: what lasted has ended when it was last seen.
    pub fn end(&mut self) {
        if let Some(held) = &mut self.0 {
            held.1.end();
        }
    }
}
