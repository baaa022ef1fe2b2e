//! What a guest would get, for an administrator: asked in its place, on copies, so that nothing of it counts
//! against the guest.

use std::collections::HashMap;
use std::io;
use std::time::Instant;

use hostinfo_answer::{Name, Observed, Pending, When, Who};
use hostinfo_catalog::StatId;
use hostinfo_wire::{Frame, Reply};

use super::Guests;
use crate::guest::Guest;
use crate::reactor::id::GuestId;

impl Guests {
    /// Somebody who gets what the guest of that name would get; and the guest's number, where it is
    /// there.
    ///
    /// # Errors
    /// Where the system gives no random bytes.
    pub(crate) fn for_preview(
        &mut self,
        name: &Name,
    ) -> io::Result<(Option<GuestId>, Who, Observed)> {
        let number = self.roster.named(name.whole());
        match number.and_then(|number| self.roster.guests.get(number)) {
            Some(guest) => Ok((number, guest.who.for_preview(), guest.observed.clone())),
            None => {
                let Guest { who, observed, .. } = self.make_guest(name)?;
                Ok((None, who, observed))
            }
        }
    }

    /// What the guest of that name would get for a line, or that some of it is on its way.
    ///
    /// # Errors
    /// Where the system gives no random bytes.
    pub(crate) fn preview(
        &mut self,
        name: &Name,
        frame: &Frame<'_>,
        when: When,
    ) -> io::Result<Result<Reply, Pending>> {
        let (_, who, observed) = self.for_preview(name)?;
        let reply = self.desk.engine_mut().preview(who, observed, frame, when);
        if reply.is_ok() {
            self.end_preview(name);
        }
        Ok(reply)
    }

    /// Of a guest that is not there, nothing is kept of what the administrator's own statistics
    /// have for it alone.
    pub(crate) fn end_preview(&mut self, name: &Name) {
        if self.roster.named(name.whole()).is_none() {
            self.desk.given().customs.forget(name.whole());
        }
    }

    /// The instances of these rows that there are now for one who is asked for as
    /// [`Guests::for_preview`] says.
    pub(crate) fn instances(
        &mut self,
        who: &Who,
        observed: Observed,
        stats: impl Iterator<Item = StatId>,
        now: Instant,
    ) -> HashMap<StatId, Vec<String>> {
        self.desk.engine_mut().instances(who, observed, stats, now)
    }
}
