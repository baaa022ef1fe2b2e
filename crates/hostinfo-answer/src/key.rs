//! Which guest incidents belong to. A guest is identified by what makes it the same one, and not by
//! its name.

use hostinfo_domains::Uuid;
use hostinfo_verdict::Incidents;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The identity of a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum GuestKey {
    /// libvirt's domain, in all of its runs.
    Domain(Uuid),
    /// Without libvirt, the process of its VMM.
    Process {
        /// Its process ID.
        pid: i32,
        /// Its start: field 22 of `/proc/PID/stat`, in clock ticks since boot.
        start: u64,
    },
}

/// Incidents and the guest they belong to. Only a pointer for each guest, since nearly none has
/// any.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct GuestIncidents(Option<Box<(GuestKey, Incidents)>>);

impl GuestIncidents {
    /// A guest's incidents, read from a file.
    pub fn new(key: GuestKey, incidents: Incidents) -> Self {
        Self(Some(Box::new((key, incidents))))
    }

    /// The guest they belong to.
    pub fn key(&self) -> Option<GuestKey> {
        self.0.as_ref().map(|owned| owned.0)
    }

    /// The incidents of that guest; `None` if these belong to another.
    pub fn of(&self, key: Option<GuestKey>) -> Option<&Incidents> {
        self.0.as_deref().filter(|(own, _)| Some(*own) == key).map(|(_, incidents)| incidents)
    }

    /// The incidents of that guest. Those of another guest are dropped.
    pub fn of_mut(&mut self, key: GuestKey) -> &mut Incidents {
        self.0.take_if(|owned| owned.0 != key);
        &mut self.0.get_or_insert_with(|| Box::new((key, Incidents::default()))).1
    }

    /// Adds the incidents of a guest that turned out to be this one.
    pub fn merge(&mut self, mut other: Self) {
        other.end();
        if let (Some(owned), Some(other)) = (&mut self.0, other.0) {
            owned.1.merge(other.1);
        }
    }

    /// The file content of that guest's incidents, with the guest's whole name; `None` if nothing
    /// has changed.
    pub fn store(&mut self, key: GuestKey, name: &str, now: Timestamp) -> Option<Vec<u8>> {
        let (own, incidents) = self.0.as_deref_mut()?;
        let is_new = *own == key && incidents.is_unstored();
        is_new.then(|| incidents.store(name, now))
    }

    /// The guest is no longer watched: open incidents end where they were last seen.
    pub fn end(&mut self) {
        if let Some(owned) = &mut self.0 {
            owned.1.end();
        }
    }
}
