//! What is logged about libvirt: that it stops answering or answers again, and domains that cannot be read.

use hostinfo_domains::Snapshot;

use super::Libvirt;
use super::remedy::{remedy, unread};

impl Libvirt {
    /// Logs running domains whose XML cannot be read, each once.
    pub(super) fn log_unread(&self, before: &Snapshot) {
        let Some(known) = self.known() else { return };
        for domain in known.guests().map(|guest| &guest.domain).filter(|domain| domain.is_live()) {
            let was = before.guest(domain.uuid).map(|guest| &guest.domain);
            let is_told = was.is_some_and(|was| was.is_live() && was.unread == domain.unread);
            if let (Some(why), false) = (&domain.unread, is_told) {
                let name = &domain.name;
                tracing::warn!("{}", unread(name, why));
            }
        }
    }

    /// Logs an outage and its end, once each. A libvirt that is not installed has no outages.
    pub(super) fn log(&mut self) {
        let Some(helper) = &self.helper else { return };
        let outage = helper.snapshot().outage();
        if self.answers == Some(outage.is_none()) {
            return;
        }
        match outage {
            None => tracing::info!("libvirt answers"),
            Some(why) if self.is_not_there() => {
                return tracing::debug!("no libvirt here: {why}");
            }
            Some(why) => {
                self.outages += 1;
                tracing::warn!("{}", remedy(why));
            }
        }
        self.answers = Some(outage.is_none());
    }
}
