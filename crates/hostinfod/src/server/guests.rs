//! Guests, whichever way they come: who is who, and what is due for each.

use std::io;
use std::time::Instant;

use hostinfo_verdict::Watch;

use super::{Alarm, Server};
use crate::guest::Guest;
use crate::guest::name::Name;
use crate::guest::session::Session;

impl Server {
    /// The guest of that name, which is made where it is not known.
    ///
    /// # Errors
    /// Where the system gives no random bytes.
    pub(crate) fn guest(&mut self, name: &Name, now: Instant) -> io::Result<usize> {
        let (rules, identity) = (&self.rules, &self.identity);
        let libvirt = self.desk.libvirt();
        let standing = libvirt.standing(name.whole()).unwrap_or_else(|| libvirt.unknown());
        let make = || {
            let grant = rules.rules().decide(name.whole());
            let host_id = identity.host_id(name.whole());
            let mut guest = Guest::new(name.clone(), grant, host_id, Session::begin()?);
            guest.standing = standing;
            Ok(guest)
        };
        let customs = &mut self.desk.given().customs;
        self.roster.guest(name, now, make, |name| customs.forget(name.whole()))
    }

    /// Takes over what libvirt says now of everybody's socket.
    pub(crate) fn find_out_who_is_who(&mut self, now: Instant) {
        let libvirt = self.desk.libvirt();
        for (number, guest) in &mut self.roster.guests {
            let Some(standing) = libvirt.standing(guest.name.whole()) else { return };
            if guest.stand(standing, now) && guest.grant.vhostmd_disk() {
                self.alarms.set(Alarm::Disk(number), Some(now));
            }
        }
    }

    /// A guest that asks for verdicts is due for a sample, or has not asked for long.
    pub(crate) fn watch(&mut self, guest: usize, now: Instant) {
        let alarm = Alarm::Watch(guest);
        let Some(guest) = self.roster.guests.get_mut(guest) else { return };
        self.desk.watch(guest, now);
        let next = guest.observed.watch.as_ref().and_then(Watch::next_sample);
        if next.is_none() {
            guest.observed.watch = None;
        }
        self.alarms.set(alarm, next);
    }

    /// Says what was left out of the log about a guest, now or when it is due.
    pub(crate) fn log_left_out(&mut self, number: usize, now: Instant) {
        let Some(guest) = self.roster.guests.get_mut(number) else { return };
        guest.log_left_out(now);
        self.alarms.set(Alarm::LeftOut(number), guest.quotas.due(now));
    }
}
