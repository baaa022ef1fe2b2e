//! The standing of a guest's socket, as far as libvirt knows.

use std::time::Instant;

use hostinfo_answer::Standing;
use hostinfo_domains::{Marks, Snapshot, Uuid};

use super::Libvirt;

impl Libvirt {
    /// The standing of the socket with that name, if a process with these marks listens there, or, if no domain names
    /// it, of the domain `by_cid` that is known by its address on vsock; `None` while libvirt does not answer. `since`: the
    /// process may be another until then, so what was requested of libvirt before does not say whose it is.
    pub(crate) fn standing(
        &mut self,
        socket: &str,
        since: Option<Instant>,
        marks: Option<&Marks>,
        by_cid: Option<Uuid>,
    ) -> Option<Standing> {
        if self.known().is_some() && self.came_since(since) {
            return Some(self.unknown(socket, marks));
        }
        let snapshot = self.known()?;
        let by_socket = |required| Standing::of(socket, marks, snapshot, required);
        // Most guests are not known by an address, and are looked up once.
        let by_cid = by_cid.and_then(|uuid| Standing::of_domain(uuid, socket, marks, snapshot));
        let by_cid = by_cid.filter(|_| by_socket(false) == Standing::Unnamed);
        Some(by_cid.unwrap_or_else(|| by_socket(self.required)))
    }

    /// The standing to assume for the socket of that name, if a process with these marks listens there, while nothing is known
    /// of that process.
    pub(crate) fn unknown(&self, socket: &str, marks: Option<&Marks>) -> Standing {
        let of = |last: &Snapshot| Standing::unknown(socket, marks, last, self.required);
        match &self.helper {
            Some(helper) => of(helper.snapshot()),
            None => of(&Snapshot::default()),
        }
    }
}
