//! Which rule applies to a guest, by its tags.

use std::time::Instant;

use hostinfo_domains::{Marks, TagSources};
use hostinfo_rules::{Decision, Rules, Tags};

use super::Guests;
use crate::guest::Guest;
use crate::libvirt::Libvirt;
use crate::reactor::Ctx;
use crate::reactor::id::GuestId;

impl Guests {
    /// Looks for these tags from now on. The earlier ones count until libvirt has reported the new ones.
    pub(crate) fn set_tag_sources(&mut self, sought: TagSources, now: Instant) {
        self.responder.libvirt().set_tag_sources(sought, now);
    }

    /// What the rules say of the guest of that name with the tags that it has now.
    pub(super) fn decide(&mut self, name: &str) -> Decision {
        let guest = self.roster.named(name).and_then(|number| self.roster.guests.get(number));
        let marks = guest.and_then(|guest| guest.marks.as_deref());
        let tags = read_tags(self.rules.rules(), self.responder.libvirt(), name, None, marks);
        self.rules.rules().decide_tagged(name, &tags)
    }

    /// Applies the rules to a guest that is another process than before.
    pub(super) fn decide_anew(&mut self, number: GuestId, ctx: &mut Ctx<'_>) {
        let Some(guest) = self.roster.guests.get_mut(number) else { return };
        let rules = self.rules.rules();
        guest.tags = tags_now(guest, rules, self.responder.libvirt());
        guest.apply_rules(rules, ctx.now);
        self.check_disk(number, ctx);
    }
}

/// Takes over the tags that a guest has now. True where they are others.
pub(super) fn take_tags(
    guest: &mut Guest,
    rules: &Rules,
    libvirt: &mut Libvirt,
    now: Instant,
) -> bool {
    let tags = tags_now(guest, rules, libvirt).or_last(&guest.tags);
    set_tags(guest, tags, rules, now)
}

/// Takes over the tags of a guest that may be another than the one whose tags were read last: where they cannot be read now,
/// those do not count. True where they are others.
pub(super) fn take_tags_anew(
    guest: &mut Guest,
    rules: &Rules,
    libvirt: &mut Libvirt,
    now: Instant,
) -> bool {
    let tags = tags_now(guest, rules, libvirt);
    set_tags(guest, tags, rules, now)
}

fn tags_now(guest: &Guest, rules: &Rules, libvirt: &mut Libvirt) -> Tags {
    read_tags(rules, libvirt, guest.who.name().whole(), guest.since, guest.marks.as_deref())
}

fn set_tags(guest: &mut Guest, tags: Tags, rules: &Rules, now: Instant) -> bool {
    let is_other = tags != guest.tags;
    if is_other {
        guest.tags = tags;
        guest.apply_rules(rules, now);
    }
    is_other
}

/// A guest's tags. If no rule asks for any, they are not read.
pub(super) fn read_tags(
    rules: &Rules,
    libvirt: &mut Libvirt,
    name: &str,
    since: Option<Instant>,
    marks: Option<&Marks>,
) -> Tags {
    if rules.have_conditions() { libvirt.tags(name, since, marks) } else { Tags::Unreadable }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostinfo_rules::Tag;

    #[test]
    fn a_guest_that_may_be_another_has_no_rule_while_its_tags_cannot_be_read() {
        let rules = hostinfo_rules::parse(b"* role=db:\n*:\n").unwrap().rules;
        let mut guest = crate::guest::tests::guest("qemu-a");
        guest.tags = Tags::NONE;
        guest.apply_rules(&rules, Instant::now());
        assert_eq!(guest.who.grant().rule().unwrap().line, 2);
        assert!(take_tags_anew(&mut guest, &rules, &mut Libvirt::silent(), Instant::now()));
        assert!(guest.who.is_undecided());
    }

    #[test]
    fn a_guest_keeps_the_rule_of_the_tags_that_were_last_read() {
        let rules = hostinfo_rules::parse(b"* role=db:\n*:\n").unwrap().rules;
        let mut guest = crate::guest::tests::guest("qemu-a");
        guest.tags = Tags::Known([("role".into(), Tag::Value("db".into()))].into());
        let mut silent = Libvirt::silent();
        assert!(!take_tags(&mut guest, &rules, &mut silent, Instant::now()));
        guest.apply_rules(&rules, Instant::now());
        assert_eq!(guest.who.grant().rule().unwrap().line, 1);
        assert!(take_tags(&mut guest, &rules, &mut Libvirt::none(), Instant::now()));
        assert_eq!(guest.who.grant().rule().unwrap().line, 2, "it has none");
        guest.tags = Tags::Unreadable;
        assert!(!take_tags(&mut guest, &rules, &mut silent, Instant::now()));
    }

    #[test]
    fn tags_that_no_rule_asks_for_are_not_looked_at() {
        let rules = hostinfo_rules::parse(b"*:\n").unwrap().rules;
        let mut guest = crate::guest::tests::guest("qemu-a");
        assert!(!take_tags(&mut guest, &rules, &mut Libvirt::none(), Instant::now()));
        // They are not known to be none when a rule asks for them and libvirt is silent.
        let rules = hostinfo_rules::parse(b"* role=db:\n*:\n").unwrap().rules;
        assert!(!take_tags(&mut guest, &rules, &mut Libvirt::silent(), Instant::now()));
        guest.apply_rules(&rules, Instant::now());
        assert!(guest.who.is_undecided());
    }
}
