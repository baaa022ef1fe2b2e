//! The figures of live domains.

use std::collections::HashMap;

use hostinfo_domains::{Domain, Message, Uuid};

use super::Survey;
use super::state::state;
use crate::batch::batches;
use crate::fetcher::{Fetched, Wanted};

impl Survey {
    /// Counts I/O errors, which are reported with the figures.
    pub(crate) fn count_errors(&mut self, errors: &HashMap<Uuid, HashMap<String, u64>>) {
        for (uuid, of_domain) in errors {
            if let Some(known) = self.known.get_mut(uuid) {
                known.count(of_domain);
            }
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
        let migrating = self.is_migrating(uuid);
        let Some(known) = self.known.get_mut(&uuid) else { return };
        if self.reported.errors {
            known.tell_errors(&mut figures);
        }
        let domain = Domain {
            state: extra.state.map_or(known.domain.state, |now| state(now, extra.reason)),
            vcpus: extra.vcpus.unwrap_or(known.domain.vcpus),
            migrating,
            ..known.domain.clone()
        };
        if known.domain != domain {
            known.domain = domain.clone();
            self.report(&Message::Domain(domain));
        }
        self.report(&Message::Figures(uuid, figures));
    }
}
