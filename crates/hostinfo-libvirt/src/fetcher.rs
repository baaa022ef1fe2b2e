//! Makes the calls that a domain's QEMU may have to answer. If it does not, the call never returns, and is given up.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use hostinfo_domains::{Configured, Figures, Uuid};
use virt::connect::Connect;
use virt::domain::Domain as Handle;
use virt::error::Error;
use virt_sys as sys;

use crate::caller::Caller;
use crate::figures::{Extra, bandwidth, figures};
use crate::raw;
use crate::threads::Threads;

/// How long a call may take before it is given up: five times what a batch of domains takes. A new socket waits twice
/// as long to learn whose it is.
const PATIENCE: Duration = Duration::from_secs(1);

/// Threads that fetch figures. When all but one are in calls that were given up, the last one is waited for, and the daemon
/// ends this program 5 s after the request, which takes more calls than these in a row. libvirtd makes 20 calls at a time
/// (`max_workers`).
const CALLERS: usize = 4;

const GROUPS: u32 = sys::VIR_DOMAIN_STATS_STATE
    | sys::VIR_DOMAIN_STATS_BALLOON
    | sys::VIR_DOMAIN_STATS_VCPU
    | sys::VIR_DOMAIN_STATS_CPU_TOTAL
    | sys::VIR_DOMAIN_STATS_INTERFACE
    | sys::VIR_DOMAIN_STATS_BLOCK;

/// A domain whose figures are wanted, and the disks of its XML.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) uuid: Uuid,
    pub(crate) disks: Vec<Configured>,
}

/// A domain's figures.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) uuid: Uuid,
    pub(crate) figures: Figures,
    pub(crate) extra: Extra,
}

/// The threads that ask.
pub(crate) struct Fetcher {
    /// [`CALLERS`] of them.
    for_figures: Vec<Caller>,
    /// What is asked about one domain, and takes its QEMU's answer. One such call is made at a time.
    for_one: Caller,
}

impl Fetcher {
    /// Asks the libvirt at that URI. Nothing is connected yet.
    ///
    /// # Errors
    /// No threads can be started.
    pub(crate) fn start(uri: &str, threads: &Threads) -> io::Result<Self> {
        let start = || Caller::start(uri.to_owned(), threads);
        let for_figures = (0..CALLERS).map(|_| start()).collect::<io::Result<_>>()?;
        Ok(Self { for_figures, for_one: start()? })
    }

    /// The figures of these domains, as far as libvirt has them now; none if it cannot be asked. One call brings those of all
    /// domains, and does not return while a QEMU does not answer, not even with what the others have answered. The same call
    /// made once more does: libvirt leaves out a domain that another call is waiting for.
    pub(crate) fn fetch(&mut self, wanted: &[Wanted]) -> Vec<Fetched> {
        loop {
            let mut idle = self
                .for_figures
                .iter_mut()
                .filter_map(|caller| (!caller.is_busy()).then_some(caller));
            // The last one's call is waited for until it returns.
            let Some(caller) = idle.next() else { return Vec::new() };
            let patience = idle.next().map(|_| PATIENCE);
            let wanted = wanted.to_vec();
            if let Ok(fetched) = caller.call(move |connect| fetch(connect, &wanted), patience) {
                return fetched.unwrap_or_default();
            }
        }
    }

    /// Whether a domain migrates; `None` if libvirt cannot be asked, or its QEMU, or another that was asked before, does not
    /// say so in time.
    pub(crate) fn is_migrating(&mut self, uuid: Uuid) -> Option<bool> {
        self.ask_one(uuid, raw::is_migrating)
    }

    /// The disks of a domain that have an I/O error, as long as it is paused for that; `None` as above.
    pub(crate) fn failed_disks(&mut self, uuid: Uuid) -> Option<Vec<String>> {
        self.ask_one(uuid, raw::failed_disks)
    }

    /// A domain that has gone has nothing to say.
    fn ask_one<T: Default + Send + 'static>(
        &mut self,
        uuid: Uuid,
        ask: fn(&Handle) -> Result<T, Error>,
    ) -> Option<T> {
        let ask = move |connect: &Connect| {
            let domain = Handle::lookup_by_uuid(connect, uuid).ok()?;
            ask(&domain).ok()
        };
        let found = self.for_one.call(ask, Some(PATIENCE)).ok()?;
        Some(found?.unwrap_or_default())
    }
}

fn fetch(connect: &Connect, wanted: &[Wanted]) -> Vec<Fetched> {
    // One that has just gone is left out.
    let handle = |Wanted { uuid, disks }: &Wanted| {
        Some((*uuid, (Handle::lookup_by_uuid(connect, *uuid).ok()?, disks.clone())))
    };
    let handles: HashMap<_, _> = wanted.iter().filter_map(handle).collect();
    let domains: Vec<&Handle> = handles.values().map(|(handle, _)| handle).collect();
    let stats = all_or_each(&domains, |domains| raw::stats(domains.iter().copied(), GROUPS));
    let fetched = stats.into_iter().filter_map(|(uuid, params)| {
        let (handle, disks) = handles.get(&uuid)?;
        let (mut figures, extra) = figures(&params, disks);
        ask_for_more(handle, &mut figures, &extra);
        Some(Fetched { uuid, figures, extra })
    });
    fetched.collect()
}

/// Asks about all domains at once, or else about each: one whose QEMU gives more values than libvirt sends has only its
/// own refused.
fn all_or_each<D, T, E>(domains: &[D], ask: impl Fn(&[D]) -> Result<Vec<T>, E>) -> Vec<T> {
    ask(domains).unwrap_or_else(|_| domains.chunks(1).flat_map(&ask).flatten().collect())
}

/// What libvirt is asked for apart.
fn ask_for_more(handle: &Handle, figures: &mut Figures, extra: &Extra) {
    if figures.disks.is_empty() {
        figures.block_job = Some(false);
    }
    // If a domain was too busy to report on its disks, this call would have to wait for it.
    for disk in figures.disks.iter().filter(|disk| disk.read.ops.is_some()) {
        figures.block_job = figures.block_job.max(raw::has_block_job(handle, &disk.dev).ok());
    }
    for (number, interface) in &extra.interfaces {
        let net = figures.nets.iter_mut().find(|net| net.number == *number);
        if let (Ok(found), Some(net)) = (raw::bandwidth(handle, interface), net) {
            (net.rx_limit, net.tx_limit) = bandwidth(&found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_that_libvirt_sends_nothing_of_leaves_the_others_their_figures() {
        let ask = |domains: &[u32]| match domains.contains(&7) {
            true => Err("too many values"),
            false => Ok(domains.to_vec()),
        };
        assert_eq!(all_or_each(&[1, 2, 3], ask), [1, 2, 3]);
        assert_eq!(all_or_each(&[1, 7, 3], ask), [1, 3]);
    }

    #[test]
    fn where_a_further_connection_is_refused_it_is_not_known_whether_a_domain_migrates() {
        let asked_at = |uri| {
            let threads = Threads { is_filtered: false };
            Fetcher::start(uri, &threads).unwrap().is_migrating(Uuid::from_u128(7))
        };
        assert_eq!(asked_at("test:///nowhere"), None);
        // The library's own libvirt, which needs no other process, and has no such domain.
        assert_eq!(asked_at("test:///default"), Some(false));
    }
}
