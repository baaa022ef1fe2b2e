//! What an administrator is told of libvirt: whether it answers, and the remedy where not.

use hostinfo_control::LibvirtState;
use hostinfo_domains::{Helper, PROGRAM};

use super::Libvirt;

impl Libvirt {
    /// What there is to say of it.
    pub(crate) fn state(&self) -> hostinfo_control::Libvirt {
        let snapshot = self.helper.as_ref().map(Helper::snapshot);
        let outage = snapshot.and_then(|snapshot| snapshot.outage());
        let (state, problem) = match outage {
            _ if !self.is_wanted => (LibvirtState::Off, None),
            None if snapshot.is_none() => (LibvirtState::Missing, Some(not_installed())),
            None => (LibvirtState::Up, None),
            Some(_) if self.is_not_there() => (LibvirtState::Missing, None),
            Some(why) => (LibvirtState::Down, Some(remedy(why))),
        };
        let known = self.known();
        let hypervisor = known.and_then(|snapshot| snapshot.hypervisor());
        hostinfo_control::Libvirt {
            state,
            uri: self.uri.clone(),
            hypervisor: hypervisor.map(|one| format!("{} {}", one.name, one.version)),
            domains: known.map(|snapshot| snapshot.running()),
            problem,
        }
    }
}

/// Why there is no helper.
pub(super) fn not_installed() -> String {
    format!("{PROGRAM} is not installed: install it where there is libvirt")
}

/// An outage, and what would end it.
pub(super) fn remedy(why: &str) -> String {
    format!(
        "{why}; what only libvirt knows is not told until it answers: see to libvirtd or virtqemud, \
         and that {PROGRAM} may connect to it"
    )
}
