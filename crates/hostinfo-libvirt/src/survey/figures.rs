//! The figures of live domains.

use std::collections::HashMap;

use hostinfo_domains::{Domain, Message, Uuid};
use virt::domain::Domain as Handle;
use virt_sys as sys;

use super::state::state;
use super::{Lost, Survey};
use crate::batch::batches;
use crate::figures::{bandwidth, figures};
use crate::raw::{self, Param};

const GROUPS: u32 = sys::VIR_DOMAIN_STATS_STATE
    | sys::VIR_DOMAIN_STATS_BALLOON
    | sys::VIR_DOMAIN_STATS_VCPU
    | sys::VIR_DOMAIN_STATS_CPU_TOTAL
    | sys::VIR_DOMAIN_STATS_INTERFACE
    | sys::VIR_DOMAIN_STATS_BLOCK;

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
    pub(crate) fn figures(&mut self, of: &[Uuid]) -> Result<(), Lost> {
        let live = self.known.values().map(|known| &known.domain).filter(|domain| domain.is_live());
        let asked = live.filter(|domain| of.is_empty() || of.contains(&domain.uuid));
        for uuids in batches(asked.map(|domain| (domain.uuid, domain.vcpus))) {
            let mut handles = HashMap::new();
            for uuid in &uuids {
                let handle = self.unless_lost(Handle::lookup_by_uuid(&self.connect, *uuid))?;
                handles.extend(handle.map(|handle| (*uuid, handle)));
            }
            let stats = self.unless_lost(raw::stats(handles.values(), GROUPS))?;
            for (uuid, params) in stats.unwrap_or_default() {
                if let Some(handle) = handles.get(&uuid) {
                    self.send_figures(uuid, handle, &params)?;
                }
            }
        }
        Ok(())
    }

    fn send_figures(&mut self, uuid: Uuid, handle: &Handle, params: &[Param]) -> Result<(), Lost> {
        let migrating = self.is_migrating(uuid, handle)?;
        let Some(known) = self.known.get_mut(&uuid) else { return Ok(()) };
        let (mut figures, extra) = figures(params, &known.disks);
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
        if figures.disks.is_empty() {
            figures.block_job = Some(false);
        }
        // If a domain was too busy to report on its disks, this call would have to wait for it.
        for disk in figures.disks.iter().filter(|disk| disk.read.ops.is_some()) {
            let has_job = self.unless_lost(raw::has_block_job(handle, &disk.dev))?;
            figures.block_job = figures.block_job.max(has_job);
        }
        for (number, interface) in &extra.interfaces {
            let found = self.unless_lost(raw::bandwidth(handle, interface))?;
            let net = figures.nets.iter_mut().find(|net| net.number == *number);
            if let (Some(found), Some(net)) = (found, net) {
                (net.rx_limit, net.tx_limit) = bandwidth(&found);
            }
        }
        self.report(&Message::Figures(uuid, figures));
        Ok(())
    }
}
