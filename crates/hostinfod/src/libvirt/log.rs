//! What is logged about libvirt: that it stops answering or answers again, domains that cannot be read, and what the helper
//! writes. A helper that was taken over can say anything of these, so one quota bounds them all.

use std::time::Instant;

use hostinfo_domains::{Helper, PROGRAM, Snapshot};

use super::Libvirt;
use super::remedy::{remedy, unread};
use crate::audit::quota::Permit;
use crate::reactor::Ctx;
use crate::reactor::alarms::Alarm;

impl Libvirt {
    /// Logs what the helper has written to standard error, as much as it may. A helper that was taken over can write
    /// anything: each line is said to be its own.
    pub(crate) fn log_errors(&mut self, ctx: &mut Ctx<'_>) {
        for line in self.helper.iter_mut().flat_map(Helper::take_errors) {
            if let Some(Permit { left_out }) = self.errors.ask(ctx.now) {
                tracing::warn!(left_out, "{PROGRAM}: {line}");
            }
        }
        if let Some(Permit { left_out }) = self.errors.overdue(ctx.now) {
            tracing::warn!(left_out, "{PROGRAM}: lines were left out");
        }
        ctx.reactor.set_alarm(Alarm::HelperLeftOut, self.errors.due(ctx.now));
    }

    /// Logs running domains whose XML cannot be read, each once.
    pub(super) fn log_unread(&mut self, before: &Snapshot, now: Instant) {
        let Some(known) = self.known().cloned() else { return };
        for domain in known.guests().map(|guest| &guest.domain).filter(|domain| domain.is_live()) {
            let was = before.guest(domain.uuid).map(|guest| &guest.domain);
            let is_told = was.is_some_and(|was| was.is_live() && was.unread == domain.unread);
            if let (Some(why), false) = (&domain.unread, is_told)
                && let Some(Permit { left_out }) = self.errors.ask(now)
            {
                tracing::warn!(left_out, "{}", unread(domain, why));
            }
        }
    }

    /// Logs an outage and its end, once each. A libvirt that is not installed has no outages.
    pub(super) fn log(&mut self, now: Instant) {
        let Some(helper) = &self.helper else { return };
        let outage = helper.snapshot().outage();
        if self.answers == Some(outage.is_none()) {
            return;
        }
        if let Some(why) = outage.filter(|_| self.is_not_there()) {
            return tracing::debug!("no libvirt here: {why}");
        }
        self.answers = Some(outage.is_none());
        self.outages += u64::from(outage.is_some());
        let Some(Permit { left_out }) = self.errors.ask(now) else { return };
        match outage {
            None => tracing::info!(left_out, "libvirt answers"),
            Some(why) => tracing::warn!(left_out, "{}", remedy(why)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outages_that_a_helper_makes_up_are_counted_and_logged_within_its_quota() {
        let helper = Helper::new(Vec::new(), Vec::new()).unwrap();
        let now = Instant::now();
        let mut libvirt = Libvirt { helper: Some(helper), is_own: false, ..Libvirt::none() };
        for _ in 0..100 {
            libvirt.answers = Some(true);
            libvirt.log(now);
        }
        assert_eq!(libvirt.outages, 100);
        assert!(libvirt.errors.due(now).is_some() && libvirt.errors.ask(now).is_none());
    }
}
