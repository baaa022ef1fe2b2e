//! A host: each statistic's value, from one sample of its source for each step of the grid.

mod value;

use std::sync::Arc;

use hostinfo_catalog::source;
use hostinfo_wire::Value;
use serde::{Deserialize, Serialize};

use crate::cached::Cached;
use crate::cputime::CpuTimes;
use crate::devices::Devices;
use crate::diskstats::Disks;
use crate::energy::Meter;
use crate::loadavg::LoadAverages;
use crate::meminfo::{Meminfo, Spare};
use crate::missing::Missing;
use crate::netdev::Interfaces;
use crate::open_files::Reader;
use crate::pressure::Pressure;
use crate::shares::{HostSample, HostWindow};
use crate::stat::Stat;
use crate::tally::Tally;
use crate::topology::Topology;
use crate::vmm::cpus::Counted;
use crate::vmstat::Vmstat;
use crate::{
    Absent, Moment, OpenFiles, Roots, Units, diskstats, energy, meminfo, pressure, stat, vmstat,
};

/// A host and the samples taken of it. The default is the host that runs this program.
#[derive(Default, Serialize, Deserialize)]
pub struct Host {
    /// Given by [`Self::seen_at`].
    #[serde(skip)]
    roots: Reader,
    #[serde(skip)]
    units: Units,
    /// The text of the last file; kept so that reading allocates no new memory.
    #[serde(skip)]
    buffer: Vec<u8>,
    #[serde(skip)]
    host_name: Cached<String>,
    #[serde(skip)]
    kernel: Cached<String>,
    #[serde(skip)]
    vendor: Cached<String>,
    #[serde(skip)]
    product: Cached<String>,
    #[serde(skip)]
    model: Cached<String>,
    #[serde(skip)]
    topology: Topology,
    #[serde(skip)]
    frequency: Cached<u64>,
    #[serde(skip)]
    frequency_max: Cached<u64>,
    throttles: Cached<u64, Tally<1>>,
    stat: Cached<Stat, CpuTimes>,
    #[serde(skip)]
    load: Cached<LoadAverages>,
    pressure_cpu: Cached<Pressure, pressure::Counters>,
    pressure_memory: Cached<Pressure, pressure::Counters>,
    pressure_io: Cached<Pressure, pressure::Counters>,
    #[serde(skip)]
    meminfo: Cached<Meminfo>,
    #[serde(skip)]
    ksm: Cached<u64>,
    vmstat: Cached<Vmstat, vmstat::Counters>,
    disks: Cached<Disks, Devices<7>>,
    interfaces: Cached<Interfaces, Devices<8>>,
    energy: Cached<u64, Meter>,
    /// The slot of the last sample for ratios, and the sample.
    #[serde(skip)]
    for_ratios: Option<(u64, Arc<HostSample>)>,
    missing: Missing,
}

impl Host {
    /// The host whose kernel runs this program, seen at `roots`. Its files stay open among `files`. Reads
    /// nothing.
    pub fn new(roots: Roots, files: OpenFiles) -> Self {
        Self { roots: Reader::of_host(roots, files), ..Self::default() }
    }

    /// The same host, seen at `roots` by another program than the one that wrote this down: what was counted counts on.
    /// What was missing is found again. Its files stay open among `files`. Reads nothing.
    #[must_use]
    pub fn seen_at(self, roots: Roots, files: OpenFiles) -> Self {
        Self { roots: Reader::of_host(roots, files), ..self }
    }

    /// A host whose kernel counts in other `units`, such as a captured one. Reads nothing.
    pub fn with_units(roots: Roots, units: Units) -> Self {
        Self { units, ..Self::new(roots, OpenFiles::default()) }
    }

    /// The statistic's value in the moment's slot; a ratio's over the `window` of the guest that asks. Its file is
    /// read at the first use in the slot; all later uses in it get the same sample.
    ///
    /// # Errors
    ///
    /// The host does not report it, or not now. Anything an administrator could mend is logged
    /// once.
    pub fn value(
        &mut self,
        what: source::Host,
        window: &mut HostWindow,
        at: Moment,
    ) -> Result<Value<'static>, Absent> {
        let value = self.look(what, window, at);
        self.missing.note(source::Source::Host(what), value.as_ref().err());
        value
    }

    /// Records whether a statistic of a guest's [`Vmm`](crate::Vmm) was `absent`. Anything the
    /// administrator could mend is logged once with the guest's name.
    pub fn note_of(&mut self, guest: &str, what: source::Source, absent: Option<&Absent>) {
        self.missing.note_of(guest, what, absent);
    }

    /// Forgets what was missing for a guest that is gone.
    pub fn forget(&mut self, guest: &str) {
        self.missing.forget(guest);
    }

    /// Figures of `/proc/meminfo` that are not statistics but that vhostmd's sums need.
    pub fn spare_memory(&mut self, at: Moment) -> Spare {
        let read = |(): &mut ()| meminfo::read(&self.roots, &mut self.buffer);
        self.meminfo.at(at, read).map(Meminfo::spare).unwrap_or_default()
    }

    /// What was missing at its last use and could be mended, each once, with the kernel's file.
    pub fn missing(&self) -> impl Iterator<Item = (&'static str, &Absent)> {
        self.missing.of_host().filter(|(_, absent)| absent.remedy().is_some())
    }

    /// What the host lacked at its last use, with nothing wrong:
    /// [`Lack::Unsupported`](crate::Lack::Unsupported), [`Lack::Chosen`](crate::Lack::Chosen) or
    /// [`Lack::Optional`](crate::Lack::Optional).
    pub fn without(&self) -> impl Iterator<Item = (&'static str, &Absent)> {
        self.missing.of_host().filter(|(_, absent)| absent.remedy().is_none())
    }

    /// The same for guests, each with the guest's name.
    pub fn missing_of_guests(&self) -> impl Iterator<Item = (&str, &'static str, &Absent)> {
        self.missing.of_guests()
    }

    /// How often something that an administrator could mend was found missing.
    pub fn failures(&self) -> u64 {
        self.missing.faults()
    }

    /// Counts faults again, for a guest that gets what was made for an earlier question.
    pub fn count_failures_again(&mut self, times: u64) {
        self.missing.count_again(times);
    }

    fn stat(&mut self, at: Moment) -> Result<&Stat, Absent> {
        let units = self.units;
        self.stat.at(at, |times| stat::read(&self.roots, units, at, &mut self.buffer, times))
    }

    fn disks(&mut self, at: Moment) -> Result<&Disks, Absent> {
        let read = |devices: &mut _| diskstats::read(&self.roots, at, &mut self.buffer, devices);
        self.disks.at(at, read)
    }

    /// What the host's packages used, in millionths of a joule, and for how long its CPUs were
    /// busy, in nanoseconds.
    pub(crate) fn energy(&mut self, at: Moment) -> Result<(u64, u64), Absent> {
        let read = |meter: &mut _| energy::read(&self.roots, at, &mut self.buffer, meter);
        let micros = *self.energy.at(at, read)?;
        let units = self.units;
        Ok((micros, self.stat(at)?.busy(units)?))
    }

    /// How long each CPU was busy and idle since boot.
    pub(crate) fn of_each_cpu(&mut self, at: Moment) -> Result<&[(u32, Counted)], Absent> {
        self.stat(at).map(Stat::of_each)
    }

    /// Samples CPUs and disks together, whichever is asked for, so that all ratios of a reply cover
    /// the same time.
    pub(crate) fn sample(&mut self, at: Moment) -> Arc<HostSample> {
        if let Some((slot, sample)) = &self.for_ratios
            && *slot == at.slot()
        {
            return Arc::clone(sample);
        }
        let sample = Arc::new(HostSample {
            ticks: self.stat(at).map(Stat::ticks),
            disks: self.disks(at).map(Disks::busy_time),
        });
        self.for_ratios = Some((at.slot(), Arc::clone(&sample)));
        sample
    }
}
