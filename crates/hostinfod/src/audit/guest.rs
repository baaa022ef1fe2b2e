//! What the audit tells of one guest, within its bounds. Connections and denials have their own: a
//! guest that asks for what it may not see does not hide that it came and went.

use std::borrow::Cow;
use std::time::Instant;

use super::Event;
use crate::audit::quota::{Quota, earlier};
use crate::guest::Guest;
use crate::guest::standing::Standing;
use crate::server::{Alarm, Server};

/// What may be logged about a guest.
#[derive(Debug, Default)]
pub(crate) struct Quotas {
    /// That it comes and goes, and whatever else is about it and not about what it asks.
    pub(crate) own: Quota,
    /// That it was refused something.
    denials: Quota,
}

impl Quotas {
    /// Whether nothing was logged for long.
    pub(crate) fn are_full(&self, now: Instant) -> bool {
        self.own.is_full(now) && self.denials.is_full(now)
    }

    /// When there is something to say of what was left out.
    pub(crate) fn due(&self, now: Instant) -> Option<Instant> {
        earlier(self.own.due(now), self.denials.due(now))
    }
}

impl Guest {
    /// Why it may not ask at all.
    pub(crate) fn refusal(&self) -> Option<Cow<'_, str>> {
        match &self.standing {
            Standing::Refused(why) => Some(Cow::Borrowed(why)),
            Standing::Awaited => Some(Cow::Borrowed(
                "libvirt does not answer, and hostinfod.toml says required = true",
            )),
            Standing::Unnamed | Standing::Domain(..) if self.grant.enabled() => None,
            Standing::Unnamed | Standing::Domain(..) => {
                Some(Cow::Borrowed("its rule says enabled = 0"))
            }
        }
    }

    /// Logs that it may ask, or why it may not.
    pub(crate) fn log_access(&mut self, now: Instant) {
        let Some(leave) = self.quotas.own.ask(now) else { return };
        let (guest, grant) = (self.name.whole(), &*self.grant);
        match self.refusal() {
            None => Event::Granted { guest, grant, pid: self.pid(), leave }.log(),
            Some(why) => Event::Refused { guest, grant, why: &why, leave }.log(),
        }
    }

    /// Logs that its connection has ended.
    pub(crate) fn log_gone(&mut self, why: &str, now: Instant) {
        if let Some(leave) = self.quotas.own.ask(now) {
            Event::Gone { guest: self.name.whole(), why, leave }.log();
        }
    }

    /// Logs that so many names of its line `asked` were refused.
    pub(crate) fn log_denied(&mut self, asked: &[u8], denied: u32, now: Instant) {
        if let Some(leave) = self.quotas.denials.ask(now) {
            let (guest, grant) = (self.name.whole(), &*self.grant);
            Event::Denied { guest, grant, asked, denied, leave }.log();
        }
    }

    fn log_left_out(&mut self, now: Instant) {
        for quota in [&mut self.quotas.own, &mut self.quotas.denials] {
            if let Some(leave) = quota.overdue(now) {
                Event::LeftOut { guest: self.name.whole(), leave }.log();
            }
        }
    }
}

impl Server {
    /// Says what was left out of the log about a guest, now or when it is due.
    pub(crate) fn log_left_out(&mut self, number: usize, now: Instant) {
        let Some(guest) = self.roster.guests.get_mut(number) else { return };
        guest.log_left_out(now);
        self.alarms.set(Alarm::LeftOut(number), guest.quotas.due(now));
    }
}
