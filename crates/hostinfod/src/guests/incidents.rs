//! The stored incidents of guests that are watched permanently.

use std::time::Instant;

use hostinfo_answer::{GuestIncidents, GuestKey};
use hostinfo_rules::{Decision, Rules, Tags};
use jiff::Timestamp;

use super::Guests;
use crate::reactor::id::GuestId;

impl Guests {
    /// Loads what was stored for a guest that has connected or was identified as a domain.
    pub(super) fn load_incidents(&mut self, number: GuestId) {
        let Some(guest) = self.roster.guests.get_mut(number) else { return };
        let Some(key) = guest.who.key().filter(|key| guest.observed.incidents.key() != Some(*key))
        else {
            return;
        };
        let stored = self.incidents.load(key, guest.who.name().whole());
        let before =
            std::mem::replace(&mut guest.observed.incidents, GuestIncidents::new(key, stored));
        // Before libvirt named its domain, the guest was identified by its process, which is still
        // the same.
        if let (Some(process), GuestKey::Domain(_)) = (guest.who.process_key(), key)
            && before.key() == Some(process)
        {
            guest.observed.incidents.merge(before);
            self.incidents.forget(process);
        }
    }

    /// Queues a guest's incidents for writing, if its rule keeps them and something has changed.
    pub(super) fn keep_incidents(&mut self, number: GuestId) {
        let Some(guest) = self.roster.guests.get_mut(number) else { return };
        let Some(key) = guest.who.key().filter(|_| guest.who.grant().watch()) else { return };
        let name = guest.who.name().whole();
        if let Some(bytes) = guest.observed.incidents.store(key, name, Timestamp::now()) {
            self.incidents.keep(key, name, bytes);
        }
    }

    /// After the rules changed: deletes the incidents of guests that are no longer watched
    /// permanently, whether or not the guests are there.
    pub(super) fn drop_incidents(&mut self) {
        let (rules, roster) = (self.rules.rules(), &self.roster);
        self.incidents.retain(|name| {
            // One that is off has no tags.
            let number = roster.named(name).filter(|number| roster.is_connected(*number));
            let guest = number.and_then(|number| roster.guests.get(number));
            guest.map_or_else(|| may_be_watched(rules, name), |guest| guest.who.may_be_watched())
        });
    }

    /// Writes incidents that are due, and deletes those that are too old.
    pub(crate) fn write_incidents(&mut self, now: Instant) {
        let rules = self.rules.rules();
        self.incidents.turn(|guest| may_be_watched(rules, guest), now);
    }
}

/// Whether a guest that is not there may be watched permanently once it comes. Its tags are not
/// known until then.
pub(super) fn may_be_watched(rules: &Rules, guest: &str) -> bool {
    match rules.decide_tagged(guest, &Tags::Unreadable) {
        Decision::Granted(grant) => grant.watch(),
        Decision::Unreadable(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_whose_tags_decide_may_be_watched_as_long_as_they_are_not_known() {
        let rules = |text: &str| hostinfo_rules::parse(text.as_bytes()).unwrap().rules;
        let tagged = rules("qemu-* role=db:\n watch = 1\n*:\n");
        assert!(may_be_watched(&tagged, "qemu-a") && !may_be_watched(&tagged, "lxc-a"));
        let plain = rules("qemu-a:\n watch = 1\n*:\n");
        assert!(may_be_watched(&plain, "qemu-a") && !may_be_watched(&plain, "qemu-b"));
    }
}
