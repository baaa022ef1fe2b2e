//! Guests' tags, as libvirt tells them and the rules know them.

use std::ffi::OsString;
use std::time::Instant;

use hostinfo_domains::{Claim, Domain, Marks, TagSources};
use hostinfo_rules::Tags;

use super::Libvirt;

impl Libvirt {
    /// The tags of the guest of that name, as far as they can be read now: those of the running domain of that name, whether
    /// or not it has a port, since its QEMU can have libvirt take that out of its XML. `marks`: of the guest's process.
    /// `since`: the guest may be another until then.
    pub(crate) fn tags(
        &mut self,
        name: &str,
        since: Option<Instant>,
        marks: Option<&Marks>,
    ) -> Tags {
        if !self.is_wanted {
            return Tags::NONE;
        }
        if self.came_since(since) {
            return Tags::Unreadable;
        }
        let Some(known) = self.known() else { return Tags::Unreadable };
        match known.whose().of(name) {
            Claim::Named(uuid) | Claim::Portless(uuid) => {
                let guest = known.guest(uuid);
                guest.map_or(Tags::Unreadable, |guest| tags_of(&guest.domain, &self.sought))
            }
            // The process of a domain that has ended has the tags that it had.
            Claim::Unnamed if marks.is_some_and(|marks| marks.is_of_unknown_run(known)) => {
                Tags::Unreadable
            }
            Claim::Unnamed => Tags::NONE,
            Claim::Refused(_) => Tags::Unreadable,
        }
    }

    /// The tags of a domain.
    pub(crate) fn tags_of(&self, domain: &Domain) -> Tags {
        tags_of(domain, &self.sought)
    }

    /// Looks for other tags from now on.
    pub(crate) fn set_tag_sources(&mut self, sought: TagSources, now: Instant) {
        if self.sought == sought {
            return;
        }
        let arguments = with_tags(&self.arguments, &sought);
        self.sought.clone_from(&sought);
        self.guests_are_due = true;
        if let Some(helper) = &mut self.helper {
            helper.set_tag_sources(sought, arguments, now);
        }
    }
}

/// The helper's command line.
pub(super) fn with_tags(arguments: &[OsString], sought: &TagSources) -> Vec<OsString> {
    let tags = ["--tags".into(), sought.to_json().into()];
    arguments.iter().cloned().chain(tags).collect()
}

fn tags_of(domain: &Domain, sought: &TagSources) -> Tags {
    match domain.tags.clone().with_uuid(domain.uuid, sought) {
        hostinfo_domains::Tags::Known(tags) => tags.into_iter().collect(),
        hostinfo_domains::Tags::Unreadable => Tags::Unreadable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::time::Duration;

    use hostinfo_domains::examples::domain;
    use hostinfo_domains::{Helper, Message, Names, VERSION};
    use hostinfo_rules::Tag;

    /// A libvirt that has these domains.
    fn libvirt(domains: impl IntoIterator<Item = Domain>) -> Libvirt {
        let mut said = vec![Message::Hello { version: VERSION }];
        said.extend(domains.into_iter().map(Message::Domain));
        said.push(Message::Done(0));
        let (mut libvirt, now) =
            (Libvirt::asked_by(Libvirt::helper_that_says(&said)), Instant::now());
        libvirt.begin(now);
        let _ = libvirt.turn(|helper| helper.on_time(now), now);
        while libvirt.known().is_none() {
            assert!(now.elapsed() < Duration::from_secs(60), "nothing comes");
            std::thread::sleep(Duration::from_millis(1));
            let _ = libvirt.turn(|helper: &mut Helper| helper.on_ready(now), now);
        }
        libvirt
    }

    /// The domain `a`, with a tag and without a port.
    fn portless() -> Domain {
        let tags = BTreeMap::from([("role".to_owned(), Some("db".to_owned()))]);
        let tags = hostinfo_domains::Tags::Known(tags);
        Domain { names: Names::default(), tags, ..domain(7, "a") }
    }

    fn marks(cgroup: &[u8]) -> Marks {
        Marks::new(9, b"qemu\n", cgroup, b"qemu\0").unwrap()
    }

    #[test]
    fn a_running_domains_tags_are_those_of_the_guest_of_its_name_whether_or_not_it_has_a_port() {
        let mut libvirt = libvirt([portless()]);
        let by_hand = marks(b"0::/user.slice\n");
        for marks in [None, Some(&by_hand)] {
            let Tags::Known(tags) = libvirt.tags("qemu-a", None, marks) else { panic!("no tags") };
            assert_eq!(tags.get("role"), Some(&Tag::Value("db".into())));
        }
        assert_eq!(libvirt.tags("qemu-b", None, Some(&by_hand)), Tags::NONE);
    }

    #[test]
    fn the_process_of_a_domain_that_has_ended_keeps_its_tags_and_is_not_one_without_tags() {
        let off = Domain { id: None, ..portless() };
        let of_run = marks(b"0::/machine.slice/machine-qemu\\x2d1\\x2da.scope/libvirt/emulator\n");
        for known in [Some(off), None] {
            let mut libvirt = libvirt(known);
            assert_eq!(libvirt.tags("qemu-a", None, Some(&of_run)), Tags::Unreadable);
            assert_eq!(libvirt.tags("qemu-a", None, None), Tags::NONE);
        }
    }
}
