//! A guest's virtual machine monitor (VMM), such as QEMU: what the host's kernel reports about its process and
//! its cgroup, without asking libvirt.
//!
//! Each part is read when a statistic that needs it is asked for, at most once in a step of the sampling grid.
//! Figures are always those of the process that was connected to; otherwise they are absent: see `process.rs`.

pub(crate) mod affinity;
pub(crate) mod bounds;
mod branch;
pub(crate) mod cgroup;
mod company;
pub(crate) mod cpu;
pub(crate) mod cpus;
mod file_counters;
pub(crate) mod io;
pub(crate) mod memory;
pub(crate) mod name;
pub(crate) mod numa;
mod of_cgroups;
pub(crate) mod process;
pub(crate) mod process_stat;
pub(crate) mod psi;
pub(crate) mod role;
pub(crate) mod samples;
pub(crate) mod status;
pub(crate) mod threads;
mod unit;
mod value;

use std::sync::Arc;
use std::time::Duration;

use hostinfo_catalog::source;
use hostinfo_wire::Value;
use serde::{Deserialize, Serialize};

use crate::cached::Cached;
use crate::energy::{Portion, Use};
use crate::open_files::Reader;
use crate::shares::{HostSample, Share};
use crate::units::micro;
use crate::window::Window;
use crate::{Absent, Host, Moment, OpenFiles, Roots, Units};

use affinity::Affinities;
use bounds::Bounds;
use cgroup::Cgroups;
use cpus::{Counters, Cpus};
use file_counters::FileCounters;
use numa::Placement;
use of_cgroups::OfCgroups;
use process::Process;
use samples::Reading;
use status::Status;
use threads::{Threads, Times};

const NO_VMM: Absent = Absent::new(
    "the other end is not a virtual machine monitor",
    "let hostinfod connect to the socket that the VMM itself listens at",
);

/// One guest's VMM: a process, identified by its number and its start, and the samples taken of it. It takes
/// 1.1 KB even before the first query, so create it only for a guest that asks.
///
/// # Ratios
///
/// A reply has one `window`, and all its ratios must cover that time: the guest's as well as the host's. So a
/// reply with a ratio of the guest calls [`Self::sample_ratios`] before anything else and then takes all its
/// ratios from here: the guest's from [`Self::value`], the host's from [`Self::host_ratio`], the window from
/// [`Self::window`]. A reply with ratios of the host alone takes them all from the [`Host`] over the guest's
/// [`HostWindow`](crate::HostWindow), and the window from that.
#[derive(Clone, Serialize, Deserialize)]
pub struct Vmm {
    /// Given by [`Self::of_process`].
    #[serde(skip, default = "Process::nobody")]
    process: Process,
    status: Cached<Status, FileCounters<1>>,
    #[serde(skip)]
    threads_read: Cached<()>,
    threads: Threads,
    /// The last reading that was split into several steps.
    #[serde(skip)]
    reading: Option<Reading>,
    #[serde(skip)]
    cgroups: Cached<Box<Cgroups>>,
    of_cgroups: Option<Box<OfCgroups>>,
    #[serde(skip)]
    cpus: Cached<Cpus>,
    #[serde(skip)]
    affinities: Affinities,
    for_verdicts: Option<Box<ForVerdicts>>,
    #[serde(skip)]
    placement: Cached<Placement>,
    window: Window<Sample>,
    energy: Portion,
}

/// What only [`Vmm::bounds`] needs from one sample to the next: as much as a [`Vmm`], for the guests that ask for
/// verdicts.
#[derive(Clone, Default, Serialize, Deserialize)]
struct ForVerdicts {
    #[serde(skip)]
    affinities_of_others: Affinities,
    counted: Counters,
    bounds: bounds::State,
}

/// What the ratios of a reply are made of.
#[derive(Clone, Serialize, Deserialize)]
struct Sample {
    host: Arc<HostSample>,
    vcpus: Result<Times, Absent>,
}

impl Vmm {
    /// The daemon cannot learn which process is at the other end: SO_PEERCRED gives 0 for a process in another
    /// PID namespace.
    pub const UNSEEN: Absent = process::UNSEEN;

    /// The process at the other end is not known: the one that listened there has ended.
    pub const HANDED_ON: Absent = process::HANDED_ON;

    /// The process `pid`, as the kernel of this program's PID namespace numbers it, which began at `start`:
    /// field 22 of `/proc/PID/stat`. `None` means the process that has the number at the first reading. Its
    /// open files are kept among `files`. Reads nothing.
    pub fn new(roots: Roots, files: OpenFiles, pid: i32, start: Option<u64>) -> Self {
        Self::of(Process::new(Reader::new(roots, files), Units::default(), pid, start))
    }

    /// The same on a host whose kernel counts in other `units`, such as a captured one. Reads nothing.
    pub fn with_units(roots: Roots, units: Units, pid: i32, start: Option<u64>) -> Self {
        Self::of(Process::new(Reader::new(roots, OpenFiles::default()), units, pid, start))
    }

    /// The same process, read below `roots` by another program than the one that wrote this down: what was counted
    /// counts on. Its open files are kept among `files`. Reads nothing.
    #[must_use]
    pub fn of_process(self, roots: Roots, files: OpenFiles, pid: i32, start: Option<u64>) -> Self {
        let process = Process::new(Reader::new(roots, files), Units::default(), pid, start);
        Self { process, ..self }
    }

    fn of(process: Process) -> Self {
        Self {
            process,
            status: Cached::default(),
            threads_read: Cached::default(),
            threads: Threads::default(),
            reading: None,
            cgroups: Cached::default(),
            of_cgroups: None,
            cpus: Cached::default(),
            affinities: Affinities::default(),
            for_verdicts: None,
            placement: Cached::default(),
            window: Window::default(),
            energy: Portion::default(),
        }
    }

    /// The guest's limits that no statistic shows, as far as its `host` reveals them.
    pub fn bounds(&mut self, host: &mut Host, at: Moment) -> Bounds {
        if self.require_vmm(at).is_err() {
            return Bounds::default();
        }
        let cpus = self.cpu_use(host, at).ok();
        let threads_run = self.threads(at).and_then(Threads::others_run).ok();
        let vcpu_delays = self.threads(at).and_then(Threads::vcpu_delays).ok();
        let of_cgroups = self.bounds_of_cgroups(at);
        Bounds {
            threads_run: threads_run.map(Duration::from_nanos),
            vcpu_delays,
            cpus,
            ..of_cgroups.unwrap_or_default()
        }
    }

    /// The guest's share of the energy that its host's CPUs used since the first query for it.
    ///
    /// # Errors
    ///
    /// As [`Self::value`], or the host does not measure energy.
    pub fn energy(&mut self, host: &mut Host, at: Moment) -> Result<Value<'static>, Absent> {
        self.require_vmm(at)?;
        let run = self.threads(at)?.all_vcpus()?.run;
        let (micros, busy) = host.energy(at)?;
        Ok(micro(self.energy.add(Use { micros, busy, run })))
    }

    /// The numbers of the current and past vCPUs, in order: instances of `vm.cpu.N`. Empty if they are not
    /// known; [`Self::value`] says why.
    pub fn vcpus(&mut self, at: Moment) -> Vec<u32> {
        match self.require_vmm(at).and_then(|()| self.threads(at)) {
            Ok(threads) => threads.vcpus().collect(),
            Err(_) => Vec::new(),
        }
    }

    /// Whether a vCPU of that number exists or existed. `None` if that is not known; [`Self::value`] says why.
    pub fn has_vcpu(&mut self, number: u32, at: Moment) -> Option<bool> {
        self.require_vmm(at).ok()?;
        self.threads(at)
            .ok()
            .filter(|threads| threads.are_named())
            .map(|threads| threads.has_vcpu(number))
    }

    /// Takes the slot's sample for ratios, of the guest and its host together, if there is none yet.
    pub fn sample_ratios(&mut self, host: &mut Host, at: Moment) {
        if self.window.has(at) {
            return;
        }
        let vcpus = self.require_vmm(at).and_then(|()| self.threads(at)?.all_vcpus());
        self.window.push(at, Sample { host: host.sample(at), vcpus });
    }

    /// A ratio of the host over this guest's window; call [`Self::sample_ratios`] first. `None` if the source
    /// is not a ratio; then use [`Host::value`].
    pub fn host_ratio(
        &self,
        what: source::Host,
        at: Moment,
    ) -> Option<Result<Value<'static>, Absent>> {
        Some(Share::of(what)?.value(&self.window, |sample| &sample.host, at))
    }

    /// The window of the slot's ratios, a multiple of the grid's step. `None` if they have no sample to compare
    /// with. Reads nothing.
    pub fn window(&self, at: Moment) -> Option<Duration> {
        self.window.span(at)
    }
}
