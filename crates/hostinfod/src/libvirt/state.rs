//! libvirt's state as an administrator sees it: whether it answers, and which domains cannot be
//! read.

use hostinfo_control::LibvirtState;
use hostinfo_domains::{Helper, Snapshot};

use super::Libvirt;
use super::remedy::{not_installed, remedy, unread};

/// Most unreadable domains that are named: enough to begin with.
const UNREAD_TOLD: usize = 8;

impl Libvirt {
    /// The current state.
    pub(crate) fn state(&self) -> hostinfo_control::Libvirt {
        let snapshot = self.helper.as_ref().map(Helper::snapshot);
        let outage = snapshot.and_then(|snapshot| snapshot.outage());
        let (state, problem) = match outage {
            _ if !self.is_wanted => (LibvirtState::Off, None),
            None if snapshot.is_none() => (LibvirtState::Missing, Some(not_installed())),
            None => (LibvirtState::Up, snapshot.and_then(|snapshot| all_unread(snapshot))),
            Some(_) if self.is_not_there() => (LibvirtState::Missing, None),
            Some(_) if self.is_first => (LibvirtState::Down, None),
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

/// Running domains whose XML cannot be read, one line each.
fn all_unread(snapshot: &Snapshot) -> Option<String> {
    let live = snapshot.guests().map(|guest| &guest.domain).filter(|domain| domain.is_live());
    let lines = live.filter_map(|domain| Some(unread(domain, domain.unread.as_ref()?)));
    let lines: Vec<String> = lines.take(UNREAD_TOLD).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostinfo_domains::examples::domain;
    use hostinfo_domains::{Domain, Message, VERSION};
    use rustix::event::{PollFd, PollFlags, Timespec};
    use std::time::Instant;

    /// The state of a libvirt that has these domains.
    fn state_of(domains: &[Domain]) -> hostinfo_control::Libvirt {
        let mut said = vec![Message::Hello { version: VERSION }];
        said.extend(domains.iter().map(|domain| Message::Domain(domain.clone())));
        said.push(Message::Done(0));
        let mut helper = Libvirt::helper_that_says(&said);
        let now = Instant::now();
        helper.want(now);
        assert!(!helper.on_time(now));
        while helper.snapshot().outage().is_some() {
            let patience = Timespec { tv_sec: 10, tv_nsec: 0 };
            let mut polled = [PollFd::new(&helper, PollFlags::IN)];
            assert_eq!(rustix::event::poll(&mut polled, Some(&patience)), Ok(1), "nothing comes");
            let _ = helper.on_ready(now);
        }
        Libvirt::asked_by(helper).state()
    }

    #[test]
    fn until_the_first_answer_or_failure_nothing_is_wrong() {
        let helper = Helper::new(vec!["/bin/sh".into()], Vec::new()).unwrap();
        let mut libvirt = Libvirt::asked_by(helper);
        for (is_first, has_problem) in [(true, false), (false, true)] {
            libvirt.is_first = is_first;
            let state = libvirt.state();
            assert_eq!(state.state, LibvirtState::Down);
            assert_eq!(state.problem.is_some(), has_problem);
        }
    }

    #[test]
    fn a_running_domain_that_cannot_be_read_is_a_problem_of_its_own_and_no_outage() {
        let unread = Some("it has over 16384 elements in <devices> and <os>".to_owned());
        let heavy = Domain { unread, ..domain(8, "heavy") };
        let state = state_of(&[domain(7, "a"), heavy.clone()]);
        assert_eq!(state.state, LibvirtState::Up);
        let problem = state.problem.unwrap();
        assert!(
            problem.starts_with("the XML of the running domain \"heavy\" cannot be read: it has")
        );
        let off = Domain { id: None, ..heavy };
        assert_eq!(state_of(&[off]).problem, None);
    }
}
