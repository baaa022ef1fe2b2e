//! What an administrator is told of libvirt: whether it answers, and what of it cannot be read.

use hostinfo_control::LibvirtState;
use hostinfo_domains::{Helper, Snapshot};

use super::Libvirt;
use super::remedy::{not_installed, remedy, unread};

/// Domains that cannot be read and are named: enough to begin with.
const UNREAD_TOLD: usize = 8;

impl Libvirt {
    /// What there is to say of it.
    pub(crate) fn state(&self) -> hostinfo_control::Libvirt {
        let snapshot = self.helper.as_ref().map(Helper::snapshot);
        let outage = snapshot.and_then(|snapshot| snapshot.outage());
        let (state, problem) = match outage {
            _ if !self.is_wanted => (LibvirtState::Off, None),
            None if snapshot.is_none() => (LibvirtState::Missing, Some(not_installed())),
            None => (LibvirtState::Up, snapshot.and_then(|snapshot| all_unread(snapshot))),
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

/// Running domains whose XML cannot be read, a line each.
fn all_unread(snapshot: &Snapshot) -> Option<String> {
    let live = snapshot.guests().map(|guest| &guest.domain).filter(|domain| domain.is_live());
    let lines = live.filter_map(|domain| Some(unread(&domain.name, domain.unread.as_ref()?)));
    let lines: Vec<String> = lines.take(UNREAD_TOLD).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::libvirt::examples;
    use hostinfo_domains::Domain;

    #[test]
    fn a_running_domain_that_cannot_be_read_is_a_problem_of_its_own_and_no_outage() {
        let unread = Some("it has over 16384 elements in <devices> and <os>".to_owned());
        let heavy = Domain { unread, ..examples::domain("heavy") };
        let told = |domains: &[Domain]| {
            Libvirt { is_wanted: true, ..examples::libvirt(domains, false) }.state()
        };
        let state = told(&[examples::domain("a"), heavy.clone()]);
        assert_eq!(state.state, LibvirtState::Up);
        let problem = state.problem.unwrap();
        assert!(
            problem.starts_with("the XML of the running domain \"heavy\" cannot be read: it has")
        );
        let off = Domain { id: None, ..heavy };
        assert_eq!(told(&[off]).problem, None);
    }
}
