//! Guests' tags, as libvirt tells them and the rules know them.

use std::ffi::OsString;
use std::time::Instant;

use hostinfo_domains::{Claim, Domain, TagSources, Uuid};
use hostinfo_rules::Tags;

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
        let is_live =
            |uuid: &Uuid| known.guest(*uuid).is_some_and(|guest| guest.domain.is_live_at(socket));
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
    pub(crate) fn set_tag_sources(&mut self, sought: TagSources, now: Instant) {
        if self.sought == sought {
            return;
        }
        let arguments = with_tags(&self.arguments, &sought);
        self.sought.clone_from(&sought);
        self.tags_are_due = true;
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
