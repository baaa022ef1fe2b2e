//! Guests' tags, as libvirt tells them and the rules know them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::Instant;

use hostinfo_domains::{Claim, Domain, Sought, UUID, Uuid};
use hostinfo_rules::{Tag, Tags};

use super::Libvirt;

impl Libvirt {
    /// The tags of the guest with that socket or, if no domain names it, of the domain `by_cid` that is known by its
    /// address on vsock, as far as they can be read now. `since`: the socket may be another guest's until then.
    pub(crate) fn tags(
        &mut self,
        socket: &str,
        since: Option<Instant>,
        by_cid: Option<Uuid>,
    ) -> Tags {
        if !self.is_wanted {
            return Tags::NONE;
        }
        let as_of = self.helper.as_ref().and_then(hostinfo_domains::Helper::as_of);
        if since.is_some_and(|since| as_of.is_none_or(|as_of| as_of < since)) {
            self.tags_are_due = true;
            return Tags::Unreadable;
        }
        let Some(known) = self.known() else { return Tags::Unreadable };
        let of_domain = |uuid| {
            let guest = known.guest(uuid);
            guest.map_or(Tags::Unreadable, |guest| tags_of(&guest.domain, &self.sought))
        };
        let is_live = |uuid: &Uuid| known.guest(*uuid).is_some_and(|guest| guest.domain.is_live());
        match known.whose().of(socket) {
            Claim::Unnamed => by_cid.filter(is_live).map_or(Tags::NONE, of_domain),
            Claim::Refused(_) => Tags::Unreadable,
            Claim::Named(uuid) => of_domain(uuid),
        }
    }

    /// The tags of a domain.
    pub(crate) fn tags_of(&self, domain: &Domain) -> Tags {
        tags_of(domain, &self.sought)
    }

    /// Looks for other tags from now on.
    pub(crate) fn seek(&mut self, sought: Sought, now: Instant) {
        if self.sought == sought {
            return;
        }
        let arguments = with_sought(&self.arguments, &sought);
        self.sought.clone_from(&sought);
        self.tags_are_due = true;
        if let Some(helper) = &mut self.helper {
            helper.seek(sought, arguments, now);
        }
    }
}

/// The helper's command line.
pub(super) fn with_sought(arguments: &[OsString], sought: &Sought) -> Vec<OsString> {
    let tags = ["--tags".into(), sought.to_json().into()];
    arguments.iter().cloned().chain(tags).collect()
}

fn tags_of(domain: &Domain, sought: &Sought) -> Tags {
    let hostinfo_domains::Tags::Known(read) = &domain.tags else { return Tags::Unreadable };
    let tag = |value: &Option<String>| {
        value.as_deref().map_or(Tag::Unreadable, |value| Tag::Value(value.into()))
    };
    let mut tags: BTreeMap<Box<str>, Tag> =
        read.iter().map(|(key, value)| (key.as_str().into(), tag(value))).collect();
    if sought.own {
        tags.insert(UUID.into(), Tag::Value(domain.uuid.to_string().into()));
    }
    Tags::Known(tags)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostinfo_domains::examples::domain;

    #[test]
    fn the_uuid_is_a_tag_unless_own_ones_are_off_and_what_is_unclear_cannot_be_read() {
        let read = [("role".to_owned(), Some("db".to_owned())), ("odd".to_owned(), None)];
        let domain = Domain { tags: hostinfo_domains::Tags::Known(read.into()), ..domain(7, "a") };
        let of = |own| tags_of(&domain, &Sought { own, ..Sought::default() });
        let mut expected: BTreeMap<Box<str>, Tag> =
            [("role".into(), Tag::Value("db".into())), ("odd".into(), Tag::Unreadable)].into();
        assert_eq!(of(false), Tags::Known(expected.clone()));
        let uuid = "00000000-0000-0000-0000-000000000007";
        expected.insert("uuid".into(), Tag::Value(uuid.into()));
        assert_eq!(of(true), Tags::Known(expected));
        let unread = Domain { tags: hostinfo_domains::Tags::Unreadable, ..domain };
        assert_eq!(tags_of(&unread, &Sought::default()), Tags::Unreadable);
    }

    #[test]
    fn a_host_that_does_not_ask_libvirt_has_no_tags() {
        assert_eq!(Libvirt::none().tags("qemu-a", Some(Instant::now()), None), Tags::NONE);
        assert_eq!(Libvirt::silent().tags("qemu-a", None, None), Tags::Unreadable);
    }
}
