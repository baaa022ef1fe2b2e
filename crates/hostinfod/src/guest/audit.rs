//! The audit events of one guest, within its quotas. Connections and denials have separate quotas,
//! so that a guest cannot hide its connections by asking for what it may not see.

use std::time::Instant;

use super::Guest;
use crate::audit::Event;

impl Guest {
    /// Logs that it may ask, or why not.
    pub(crate) fn log_access(&mut self, now: Instant) {
        let Some(permit) = self.quotas.own.ask(now) else { return };
        let (guest, grant) = (self.who.name().whole(), self.who.grant());
        match self.who.refusal() {
            None => Event::Granted { guest, grant, pid: self.who.pid(), permit }.log(),
            Some(why) => Event::Refused { guest, grant, why: &why, permit }.log(),
        }
    }

    /// Logs that its connection has ended.
    pub(crate) fn log_gone(&mut self, why: &str, now: Instant) {
        if let Some(permit) = self.quotas.own.ask(now) {
            Event::Gone { guest: self.who.name().whole(), why, permit }.log();
        }
    }

    /// Logs that a socket of it is not served.
    pub(crate) fn log_refused(&mut self, socket: &str, why: &str, now: Instant) {
        if let Some(permit) = self.quotas.own.ask(now) {
            Event::SocketRefused { socket, why, permit }.log();
        }
    }

    /// Logs that this many names in its line `asked` were refused.
    pub(crate) fn log_denied(&mut self, asked: &[u8], denied: u32, now: Instant) {
        if let Some(permit) = self.quotas.denials.ask(now) {
            let (guest, grant) = (self.who.name().whole(), self.who.grant());
            Event::Denied { guest, grant, asked, denied, permit }.log();
        }
    }

    /// Logs how much was left out, if that is due.
    pub(crate) fn log_left_out(&mut self, now: Instant) {
        for quota in [&mut self.quotas.own, &mut self.quotas.denials] {
            if let Some(permit) = quota.overdue(now) {
                Event::LeftOut { guest: self.who.name().whole(), permit }.log();
            }
        }
    }
}
