//! The figures of live domains.

use hostinfo_domains::{Domain, Message, Uuid};

use super::Survey;
use super::state::state;
use crate::batch::batches;
use crate::fetcher::{Fetched, Wanted};

impl Survey {
    /// Counts I/O errors that have paused a domain, which are reported with its figures.
    pub(super) fn count_errors(&mut self, uuid: Uuid) {
        if let (Some(failed), Some(known)) =
            (self.fetcher.failed_disks(uuid), self.known.get_mut(&uuid))
        {
            known.count(&failed);
        }
    }

    /// Reports the figures of these live domains, or of all if none are given.
    pub(crate) fn figures(&mut self, of: &[Uuid]) {
        let live = self.known.values().map(|known| &known.domain).filter(|domain| domain.is_live());
        let asked = live.filter(|domain| of.is_empty() || of.contains(&domain.uuid));
        for uuids in batches(asked.map(|domain| (domain.uuid, domain.vcpus))) {
            let known = uuids.into_iter().filter_map(|uuid| Some((uuid, self.known.get(&uuid)?)));
            let wanted = known.map(|(uuid, known)| Wanted { uuid, disks: known.disks.clone() });
            let wanted: Vec<Wanted> = wanted.collect();
            for fetched in self.fetcher.fetch(&wanted) {
                self.report_figures(fetched);
            }
        }
    }

    fn report_figures(&mut self, fetched: Fetched) {
        let Fetched { uuid, mut figures, extra } = fetched;
        // This call would have to wait for a domain that was too busy to say what its disks do.
        let migrating =
            figures.block_job.is_some().then(|| self.fetcher.is_migrating(uuid)).flatten();
        let Some(known) = self.known.get_mut(&uuid) else { return };
        known.tell_errors(&mut figures);
        let domain = Domain {
            state: extra.state.map_or(known.domain.state, |now| state(now, extra.reason)),
            vcpus: extra.vcpus.unwrap_or(known.domain.vcpus),
            migrating: migrating.unwrap_or(known.domain.migrating),
            ..known.domain.clone()
        };
        if known.domain != domain {
            known.domain = domain.clone();
            self.report(&Message::Domain(domain));
        }
        self.report(&Message::Figures(uuid, figures));
    }
}
