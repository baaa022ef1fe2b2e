//! What a guest would get, for an administrator. It is asked on copies of the guest, so that
//! nothing counts against the guest.

use std::collections::HashMap;
use std::io;
use std::time::Instant;

use hostinfo_answer::{Name, Observed, Pending, Requester, When};
use hostinfo_catalog::StatId;
use hostinfo_wire::{Frame, Reply};

use super::Guests;
use crate::guest::Guest;
use crate::reactor::id::GuestId;

impl Guests {
    /// A copy that gets what the guest of that name would get; and the guest's number, if it
    /// exists.
    ///
    /// # Errors
    /// The system has no random bytes.
    pub(crate) fn for_preview(
        &mut self,
        name: &Name,
    ) -> io::Result<(Option<GuestId>, Requester, Observed)> {
        let number = self.roster.named(name.whole());
        match number.and_then(|number| self.roster.guests.get(number)) {
            Some(guest) => Ok((number, guest.who.for_preview(), guest.observed.clone())),
            None => {
                let Guest { who, observed, .. } = self.make_guest(name)?;
                Ok((None, who.absent(), observed))
            }
        }
    }

    /// Reads some of what has to be known of the guest of that name before a preview or an explanation.
    ///
    /// # Errors
    /// There is more, to be read after others have had their turns.
    pub(crate) fn read_ahead(&mut self, name: &Name, when: When) -> Result<(), Pending> {
        let number = self.roster.named(name.whole());
        match number.and_then(|number| self.roster.guests.get_mut(number)) {
            Some(guest) => self.responder.read_ahead(guest, when),
            None => Ok(()),
        }
    }

    /// The reply that the guest of that name would get for a line, or that some values are on their
    /// way.
    ///
    /// # Errors
    /// The system has no random bytes.
    pub(crate) fn preview(
        &mut self,
        name: &Name,
        frame: &Frame<'_>,
        when: When,
    ) -> io::Result<Result<Reply, Pending>> {
        let (_, who, observed) = self.for_preview(name)?;
        Ok(self.responder.engine_mut().preview(who, observed, frame, when))
    }

    /// The current instances of these rows, for a copy from [`Guests::for_preview`].
    pub(crate) fn instances(
        &mut self,
        who: &Requester,
        observed: Observed,
        stats: impl Iterator<Item = StatId>,
        now: Instant,
    ) -> HashMap<StatId, Vec<String>> {
        self.responder.engine_mut().instances(who, observed, stats, now)
    }
}
