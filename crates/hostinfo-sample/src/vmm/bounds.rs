//! Limits on a guest that are not statistics, since some of them reveal something about others.
//! Verdicts need them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Moment;
use crate::tally::Tally;
use crate::vmm::cgroup::Cgroups;
use crate::vmm::company::Company;
use crate::vmm::cpu::HeldBack;
use crate::vmm::file_counters::FileCounters;
use crate::vmm::io::{self, IoLimit};
use crate::vmm::process::Process;
use crate::vmm::{cpu, memory};

/// How often to look for a second VMM: guests come and go in minutes, and looking through a slice
/// with 1,000 processes takes 10 ms.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Limits of the guest's own cgroups and of those around them, and who uses the CPUs that the guest
/// may run on. `None` means that it does not exist or cannot be seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bounds {
    /// How long CPU limits held back the cgroups around the guest's own, summed over the host's
    /// CPUs. It never falls.
    pub throttled_around: Option<Duration>,
    /// The CPU limit around the guest's own cgroups that held them back, as CPU time per second. `None` also if
    /// several did.
    pub cpu_limit: Option<Duration>,
    /// Whether a second VMM was seen under a CPU limit around the guest's own cgroup.
    pub cpu_limit_is_shared: bool,
    /// Usage of the memory limit in the guest's own cgroups that is closest to being used up.
    pub memory: Option<Used>,
    /// Usage of the memory limit around the guest's own cgroups that is closest to being used up.
    pub memory_around: Option<Used>,
    /// Whether that limit is the lowest of all, which `vm.memory.limit` shows the guest.
    pub memory_limit_around_is_lowest: bool,
    /// How often the guest's own cgroups reached their own limits, counting each time that memory
    /// had to be freed for it (`memory.events`, `memory.failcnt`). It never falls.
    pub memory_hits: Option<u64>,
    /// The same for the cgroups around them, without those of other guests inside.
    pub memory_hits_around: Option<u64>,
    /// How many bytes of the guest's own cgroup are swapped out, shared memory included.
    pub swapped: Option<u64>,
    /// Whether a second VMM was seen under a memory limit around the guest's own cgroup.
    pub memory_limit_is_shared: bool,
    /// Major faults on the memory of the guest's own cgroup, whichever process took them: KVM lets
    /// a kernel thread fetch a page while the vCPU continues (cgroup `memory.stat`, `pgmajfault`).
    /// It never falls.
    pub major_faults: Option<u64>,
    /// Pages of the guest's own cgroup that were freed because the host was running short of memory
    /// (cgroup `memory.stat`, `pgsteal_kswapd`). It never falls.
    pub freed_for_host: Option<u64>,
    /// Limits on the host's disks of the guest's own cgroups and of those around them.
    pub io_limits: Vec<IoLimit>,
    /// How long the VMM's threads other than vCPUs ran, on any CPU. It never falls.
    pub threads_run: Option<Duration>,
    /// How long the quotas that libvirt sets for those threads alone held them back
    /// (`emulator_quota`, `iothread_quota`), summed over their cgroups; zero if there are no such
    /// quotas. It never falls.
    pub threads_throttled: Option<Duration>,
    /// How long each vCPU waited in a run queue, indexed by its number; 0 for an unused number. In
    /// microseconds, wrapping to 0 after 2^32 of them (71 minutes): only samples of one window are
    /// compared, and since a guest may have thousands of vCPUs, a sample has no more than 4 bytes
    /// for each.
    pub vcpu_delays: Option<Arc<[u32]>>,
    /// The CPUs that its vCPUs may run on.
    pub cpus: Option<CpuUse>,
}

/// Who used the CPUs that the guest's vCPUs may run on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CpuUse {
    /// Their numbers, in order. Figures of two samples are only comparable if these are equal.
    pub cpus: Arc<[u32]>,
    /// How many CPUs of the host are online.
    pub online: u32,
    /// How long they were busy, whatever ran on them, steal included: all fields of `/proc/stat`
    /// except `idle` and `iowait`, summed over these CPUs. Time for which a kernel lost its ticks
    /// is divided into busy and idle time as the ticks that it counted.
    pub busy: Duration,
    /// How long they were busy by the ticks alone, as in the host's own sums.
    pub counted_busy: Duration,
    /// How long they were idle or in iowait by the ticks alone.
    pub counted_idle: Duration,
    /// How long the VMM's threads other than vCPUs ran on these CPUs, in proportion to the CPUs
    /// they may use: for a thread that may use half of these CPUs and as many others, half of its
    /// time.
    pub own_others: Duration,
    /// How long those threads waited in a run queue, in the same proportion.
    pub own_others_delay: Duration,
}

/// How much of a limit a cgroup uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// Page cache included.
    pub bytes: u64,
    /// In bytes.
    pub limit: u64,
}

/// What is kept from one sample to the next.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct State {
    throttled_around: Tally<1>,
    threads_held: HeldBack,
    stat: FileCounters<2>,
    memory_hits: Tally<1>,
    memory_hits_around: Tally<1>,
    cpu_limit: Shared,
    memory_limit: Shared,
}

/// Whether a second VMM was seen in the cgroup that has a limit.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Shared {
    seen: Option<Seen>,
}

/// When and where a second VMM was last looked for, and whether it was there.
#[derive(Clone, Serialize, Deserialize)]
struct Seen {
    at: Moment,
    #[serde(with = "hostinfo_handover::path")]
    cgroup: PathBuf,
    is_there: bool,
}

/// Reads the guest's cgroups. Each figure that cannot be read is `None` on its own.
pub(crate) fn read(
    cgroups: &Cgroups,
    at: Moment,
    state: &mut State,
    process: &Process,
    buffer: &mut Vec<u8>,
) -> Bounds {
    let mut bounds = Bounds::default();
    let roots = &process.roots;
    if let Ok(branch) = &cgroups.cpu
        && let Ok(around) = cpu::around(branch, roots, buffer, &mut state.throttled_around)
    {
        bounds.throttled_around = Some(Duration::from_nanos(around.throttled));
        bounds.cpu_limit = around.quota.map(Duration::from_micros);
        // The outermost contains the others.
        let limited = around.limited.last().map(PathBuf::as_path);
        bounds.cpu_limit_is_shared = state.cpu_limit.look(limited, at, process, buffer);
    }
    if let Ok(branch) = &cgroups.cpu
        && let Ok(nanos) = cpu::of_threads(branch, roots, buffer, &mut state.threads_held)
    {
        bounds.threads_throttled = Some(Duration::from_nanos(nanos));
    }
    // The v2 tree. Where `io` is a controller of v1, it has none of these files.
    if let Ok(branch) = &cgroups.pressure {
        bounds.io_limits = io::limits(branch, roots, buffer);
    }
    let Ok(branch) = &cgroups.memory else { return bounds };
    if let Ok(own) = branch.own() {
        let used = memory::used(own.levels, own.version, roots, buffer);
        bounds.memory = used.ok().flatten().map(|(_, used)| used);
        let tally = &mut state.memory_hits;
        bounds.memory_hits = memory::hits(own.levels, own.version, roots, buffer, tally);
        let mut current = Vec::new();
        let swap = own.whole.join("memory.swap.current");
        let current = roots.cgroup(swap, &mut current).ok();
        let stat = own.whole.join("memory.stat");
        let text = roots.cgroup(&stat, buffer).ok();
        bounds.swapped = text.and_then(|text| memory::swapped(text, current));
        let counters =
            [memory::major_faults, memory::freed_for_host].map(|figure| text.and_then(figure));
        [bounds.major_faults, bounds.freed_for_host] = state.stat.add(&stat, counters);
    }
    let (around, tally) = (branch.around(), &mut state.memory_hits_around);
    bounds.memory_hits_around = memory::hits(around, branch.version, roots, buffer, tally);
    if let Ok(used) = memory::used(around, branch.version, roots, buffer) {
        bounds.memory_around = used.map(|(_, used)| used);
        bounds.memory_limit_around_is_lowest = used.is_some_and(|(_, used)| {
            memory::limit(branch, roots, buffer).is_ok_and(|lowest| lowest == used.limit)
        });
        let limited = used.map(|(cgroup, _)| cgroup);
        bounds.memory_limit_is_shared = state.memory_limit.look(limited, at, process, buffer);
    }
    bounds
}

impl Shared {
    /// Looks for a second VMM in the cgroup with the limit, if there is one.
    fn look(
        &mut self,
        limited: Option<&Path>,
        at: Moment,
        process: &Process,
        buffer: &mut Vec<u8>,
    ) -> bool {
        let Some(limited) = limited else { return false };
        if let Some(seen) = &self.seen
            && seen.cgroup == limited
            && at.since(seen.at) < LOOK_EVERY
        {
            return seen.is_there;
        }
        let is_there = Company::of(process, None, at, buffer).below(limited).second;
        self.seen = Some(Seen { at, cgroup: limited.to_owned(), is_there });
        is_there
    }
}
