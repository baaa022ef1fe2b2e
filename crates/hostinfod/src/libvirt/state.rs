//! What an administrator is told of libvirt: whether it answers.

use hostinfo_control::LibvirtState;
use hostinfo_domains::Helper;

use super::Libvirt;
use super::remedy::{not_installed, remedy};

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
