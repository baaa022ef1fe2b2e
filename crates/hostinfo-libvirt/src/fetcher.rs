//! Fetches figures in a thread that can be given up. For some of them libvirt asks a domain's QEMU. If one does not answer,
//! the call never returns, not even with what the others have answered. The same call made once more does: libvirt leaves
//! out a domain that another call is waiting for.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use hostinfo_domains::{Configured, Figures, Uuid};
use virt::connect::Connect;
use virt::domain::Domain as Handle;
use virt_sys as sys;

use crate::figures::{Extra, bandwidth, figures};
use crate::raw;

/// How long a call may take before it is given up: five times what a batch of domains takes. A new socket waits twice
/// as long to learn whose it is.
const PATIENCE: Duration = Duration::from_secs(1);

/// The most calls that were given up and have not returned. No further one is given up, and the daemon ends this program
/// 5 s after the request, which takes more calls than these in a row. libvirtd makes 20 calls at a time (`max_workers`).
const GIVEN_UP_MAX: usize = 3;

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

/// The thread that fetches figures.
pub(crate) struct Fetcher {
    uri: String,
    thread: Option<Thread>,
    /// Held by each thread that has not ended.
    threads: Arc<()>,
}

struct Thread {
    wanted: Sender<Vec<Wanted>>,
    fetched: Receiver<Vec<Fetched>>,
}

impl Fetcher {
    /// Fetches from the libvirt at that URI. Nothing is connected yet.
    pub(crate) fn new(uri: String) -> Self {
        Self { uri, thread: None, threads: Arc::new(()) }
    }

    /// The figures of these domains, as far as libvirt has them now. None if it cannot be asked: the other connection to
    /// it then shows why.
    pub(crate) fn fetch(&mut self, wanted: &[Wanted]) -> Vec<Fetched> {
        loop {
            match self.try_to_fetch(wanted) {
                Ok(fetched) => return fetched,
                Err(RecvTimeoutError::Disconnected) => return Vec::new(),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// One call. A thread that has not made it in time is left to itself, and ends when the call returns.
    fn try_to_fetch(&mut self, wanted: &[Wanted]) -> Result<Vec<Fetched>, RecvTimeoutError> {
        let thread = match self.thread.take() {
            Some(thread) => thread,
            None => Thread::start(self.uri.clone(), Arc::clone(&self.threads))
                .map_err(|_| RecvTimeoutError::Disconnected)?,
        };
        thread.wanted.send(wanted.to_vec()).map_err(|_| RecvTimeoutError::Disconnected)?;
        // Beside this value and the thread that is waited for.
        let given_up = Arc::strong_count(&self.threads).saturating_sub(2);
        let fetched = match given_up < GIVEN_UP_MAX {
            true => thread.fetched.recv_timeout(PATIENCE)?,
            false => thread.fetched.recv().map_err(|_| RecvTimeoutError::Disconnected)?,
        };
        self.thread = Some(thread);
        Ok(fetched)
    }
}

impl Thread {
    /// Starts it, with a connection of its own: over one, libvirtd works on only a few calls at a time.
    fn start(uri: String, held: Arc<()>) -> io::Result<Self> {
        let (wanted, to_fetch) = channel::<Vec<Wanted>>();
        let (to_hand_over, fetched) = channel();
        thread::Builder::new().name("figures".to_owned()).spawn(move || {
            let _held = held;
            let Ok(connect) = Connect::open_read_only(Some(&uri)) else { return };
            for wanted in to_fetch {
                let found = fetch(&connect, &wanted);
                let is_lost = found.is_empty() && !connect.is_alive().unwrap_or_default();
                if is_lost || to_hand_over.send(found).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { wanted, fetched })
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
}
