//! Values of the administrator's own statistics in the loop: who waits for one has a turn when it
//! comes.

use std::time::Instant;

use hostinfo_answer::Pending;

use super::Server;
use crate::given;
use crate::guest::Guest;
use crate::reactor::alarms::Alarm;

impl Server {
    /// Values may have come: who waits for them has a turn.
    pub(crate) fn take_values(&mut self, now: Instant) {
        let news = self.desk.given().customs.turn(now);
        if !news.is_empty() {
            self.wake(now, |pending, guest| news.has(&pending.on, guest));
        }
    }

    /// Reads the directory again.
    pub(crate) fn reload_customs(&mut self) {
        given::log(&self.desk.given().customs.reload());
        // Who waits for what is gone now is told so.
        self.wake(Instant::now(), |_, _| true);
    }

    /// Costs a look at each guest and port, whatever they ask.
    fn wake(&mut self, now: Instant, is_meant: impl Fn(&Pending, &str) -> bool) {
        self.wake_previews(now);
        let guests = &self.roster.guests;
        let is_meant = |pending: Option<&Pending>, guest: &Guest| {
            pending.is_some_and(|pending| is_meant(pending, guest.who.name().whole()))
        };
        for (number, port) in self.roster.ports.iter() {
            let pending = port.connection.as_ref().and_then(|one| one.conversation.pending());
            if guests.get(port.guest).is_some_and(|guest| is_meant(pending, guest)) {
                self.reactor.set_alarm(Alarm::Port(number), Some(now));
            }
        }
        for (number, guest) in guests.iter() {
            if is_meant(guest.disk_pending.as_ref(), guest) {
                self.reactor.set_alarm(Alarm::Disk(number), Some(now));
            }
        }
    }
}
