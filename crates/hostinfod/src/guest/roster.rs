//! All guests, by number and by name, and their ports.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;
use std::time::Instant;

use crate::guest::Guest;
use crate::port::Port;
use crate::reactor::id::{GuestId, Id as _, PortId, Table};
use hostinfo_answer::{Dialect, Name};

/// Guests and their ports.
#[derive(Default)]
pub(crate) struct Roster {
    /// Every guest that has a port, or that could gain something from being forgotten.
    pub(crate) guests: Table<GuestId, Guest>,
    /// Every port.
    pub(crate) ports: Table<PortId, Port>,
    by_name: BTreeMap<Arc<str>, GuestId>,
    /// The ports of each guest that has any.
    by_guest: BTreeSet<(GuestId, PortId)>,
    /// Number of guests the last sweep had to keep.
    needed: usize,
}

/// Guests without a port that are kept in any case.
const ABSENT_MIN: usize = 64;

impl Roster {
    /// Adds a new guest. Others are forgotten to make room, for which `forget` forgets what is kept for one elsewhere, or
    /// says that something is still to be kept.
    pub(crate) fn add(
        &mut self,
        guest: Guest,
        now: Instant,
        forget: impl FnMut(&Name) -> bool,
    ) -> GuestId {
        // A sweep looks at all guests, but only when there are twice as many as after the last one:
        // two looks for each guest on average.
        if self.guests.len() >= (2 * self.ports.len() + ABSENT_MIN).max(2 * self.needed) {
            self.forget(now, forget);
        }
        let name = guest.who.name().shared();
        let number = self.guests.insert(guest);
        self.by_name.insert(name, number);
        number
    }

    /// The guest with that whole name.
    pub(crate) fn named(&self, whole: &str) -> Option<GuestId> {
        self.by_name.get(whole).copied()
    }

    /// Guests sorted by name: those that come after `after`, or all.
    pub(crate) fn in_order(&self, after: Option<&str>) -> impl Iterator<Item = (GuestId, &Guest)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let numbers =
            self.by_name.range::<str, _>((from, Bound::Unbounded)).map(|(_, guest)| *guest);
        numbers.filter_map(|number| Some((number, self.guests.get(number)?)))
    }

    /// The port of the socket with that name.
    pub(crate) fn socket(&self, dialect: Dialect, name: &str) -> Option<PortId> {
        self.socket_of(self.named(name)?, dialect)
    }

    /// The same of a guest.
    pub(crate) fn socket_of(&self, guest: GuestId, dialect: Dialect) -> Option<PortId> {
        let mut ports = self.ports_of(guest);
        ports.find(|(_, port)| port.is_socket(dialect)).map(|(number, _)| number)
    }

    /// Adds a port.
    pub(crate) fn add_port(&mut self, port: Port) -> PortId {
        let guest = port.guest;
        let number = self.ports.insert(port);
        self.by_guest.insert((guest, number));
        number
    }

    /// Removes a port. Returns its guest.
    pub(crate) fn remove_port(&mut self, number: PortId) -> Option<GuestId> {
        let guest = self.ports.remove(number)?.guest;
        self.by_guest.remove(&(guest, number));
        Some(guest)
    }

    /// A guest's ports.
    pub(crate) fn ports_of(&self, guest: GuestId) -> impl Iterator<Item = (PortId, &Port)> {
        let numbers = numbers_of(guest, &self.by_guest);
        numbers.filter_map(|number| Some((number, self.ports.get(number)?)))
    }

    /// Whether any of a guest's ports is connected.
    pub(crate) fn is_connected(&self, guest: GuestId) -> bool {
        self.ports_of(guest).any(|(_, port)| port.connection.is_some())
    }

    /// A port and its guest.
    pub(crate) fn at(&mut self, port: PortId) -> Option<(&mut Port, &mut Guest)> {
        let port = self.ports.get_mut(port)?;
        let guest = self.guests.get_mut(port.guest)?;
        Some((port, guest))
    }

    /// The names of the sockets of one dialect.
    pub(crate) fn sockets(&self, dialect: Dialect) -> impl Iterator<Item = &str> {
        let ports = self.ports.iter().filter(move |(_, port)| port.is_socket(dialect));
        ports.filter_map(|(_, port)| Some(self.guests.get(port.guest)?.who.name().whole()))
    }

    /// Forgets guests that have no port and would gain nothing from it: a guest that stops and
    /// starts again must find its interval, and the values of its own commands, as it left them. At
    /// most for a day (`INTERVAL_MAX`), so as many are kept as come in one; guests choose no names.
    fn forget(&mut self, now: Instant, mut forget: impl FnMut(&Name) -> bool) {
        let by_guest = &self.by_guest;
        self.guests.retain(|number, guest| {
            let has_port = numbers_of(number, by_guest).next().is_some();
            has_port || !guest.is_forgettable(now) || !forget(guest.who.name())
        });
        let guests = &self.guests;
        self.by_name.retain(|_, number| guests.contains(*number));
        self.needed = guests.len();
    }
}

/// The numbers of a guest's ports.
fn numbers_of(
    guest: GuestId,
    by_guest: &BTreeSet<(GuestId, PortId)>,
) -> impl Iterator<Item = PortId> {
    let from = by_guest.range((guest, PortId::of(0))..);
    from.take_while(move |(of, _)| *of == guest).map(|(_, port)| *port)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    use hostinfo_custom::Answer;
    use hostinfo_custom::limits::EVERY_DEFAULT;

    use crate::admin_values::tests::admin_values;
    use crate::guest::tests::guest;
    use crate::port::Endpoint;
    use hostinfo_answer::Bound;

    /// A custom statistic for each guest, which fails for all.
    const OWN: &str = "[custom.own]\nkind = 'info'\nhelp = 'h'\nscope = 'guest'\n\
                       file = '/nonexistent/{guest}'\n";

    /// The guests that are left in a roster, and those with an own failure of [`OWN`], when so many have come and asked for
    /// it that others are forgotten, the last of them so much later.
    fn left_after(pause: Duration) -> (usize, Vec<String>) {
        let (mut roster, mut customs) = (Roster::default(), admin_values(OWN).customs);
        let now = Instant::now();
        for number in 0..=ABSENT_MIN {
            let name = Name::parse(&format!("qemu-{number}")).unwrap();
            // On a busy machine it comes later.
            let begun = Instant::now();
            while let Answer::Pending { .. } = customs.value("own", name.whole(), now, now) {
                assert!(begun.elapsed().as_secs() < 60, "it does not come");
                std::thread::sleep(Duration::from_millis(1));
                customs.turn(now);
            }
            let at = if number == ABSENT_MIN { now + pause } else { now };
            let forget = |name: &Name| customs.forget(name.whole(), at);
            let guest = roster.add(guest(name.whole()), at, forget);
            // This one must wait for its next line, so it would gain from being forgotten.
            if name.guest() == "7" {
                let bound = Bound { per_second: 1, burst: 30 };
                roster.guests.get_mut(guest).unwrap().meter.lines.take(30, bound, now);
            }
        }
        let mut left: Vec<String> =
            customs.absent().map(|(_, guest, _)| guest.to_owned()).collect();
        left.sort_unstable();
        (roster.guests.len(), left)
    }

    #[test]
    fn what_was_kept_for_a_guest_alone_goes_when_the_guest_is_forgotten() {
        let (guests, left) = left_after(EVERY_DEFAULT);
        assert_eq!(left, ["qemu-64", "qemu-7"]);
        assert_eq!(guests, 2);
    }

    #[test]
    fn a_guest_that_is_gone_is_kept_as_long_as_a_value_of_its_own_is() {
        let (guests, left) = left_after(EVERY_DEFAULT - Duration::from_millis(1));
        assert_eq!((guests, left.len()), (ABSENT_MIN + 1, ABSENT_MIN + 1));
    }

    #[test]
    fn a_socket_is_found_by_its_guests_name_and_its_dialect_and_no_other_port_is() {
        let (mut roster, now) = (Roster::default(), Instant::now());
        for name in ["qemu-a", "qemu-b"] {
            let guest = roster.add(guest(name), now, |_| true);
            for endpoint in [Endpoint::Accepted(PortId::of(0)), Endpoint::Socket] {
                roster.add_port(Port::new(guest, endpoint, Dialect::Hostinfo, now));
            }
        }
        let found = |roster: &Roster, dialect| roster.socket(dialect, "qemu-b");
        assert_eq!(found(&roster, Dialect::Hostinfo), Some(PortId::of(3)));
        assert_eq!(found(&roster, Dialect::Vhostmd), None);
        assert_eq!(roster.sockets(Dialect::Hostinfo).collect::<Vec<_>>(), ["qemu-a", "qemu-b"]);
        let guest = roster.named("qemu-b").unwrap();
        assert_eq!(roster.remove_port(PortId::of(3)), Some(guest));
        assert_eq!(found(&roster, Dialect::Hostinfo), None);
        let left: Vec<PortId> = roster.ports_of(guest).map(|(number, _)| number).collect();
        assert_eq!(left, [PortId::of(2)]);
    }

    #[test]
    fn ten_thousand_guests_that_are_all_needed_come_without_all_being_looked_at_for_each() {
        let (mut roster, now) = (Roster::default(), Instant::now());
        let mut sweeps = Vec::new();
        for number in 0..10_000 {
            let name = Name::parse(&format!("qemu-{number}")).unwrap();
            let number = roster.add(guest(name.whole()), now, |_| true);
            // Like guests with a metrics disk, which libvirt reports before they have a port.
            roster.guests.get_mut(number).unwrap().has_disk = true;
            sweeps.push(roster.needed);
        }
        sweeps.dedup();
        assert_eq!((roster.guests.len(), sweeps.len()), (10_000, 9), "{sweeps:?}");
    }
}
