//! A host: each statistic's value, from one sample of its source for each step of the grid.

use std::sync::Arc;

use hostinfo_catalog::source::{self, Frequency, Identity, Resource};
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
use crate::shares::{HostSample, HostWindow, Share};
use crate::stat::Stat;
use crate::tally::Tally;
use crate::topology::{Topology, count};
use crate::vmstat::Vmstat;
use crate::{
    Absent, Moment, OpenFiles, Roots, Units, cpufreq, cpuinfo, diskstats, energy, identity, ksm,
    loadavg, meminfo, netdev, pressure, stat, throttle, vmstat,
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

    fn look(
        &mut self,
        what: source::Host,
        window: &mut HostWindow,
        at: Moment,
    ) -> Result<Value<'static>, Absent> {
        use source::Host as Source;
        let (roots, buffer, units) = (&self.roots, &mut self.buffer, self.units);
        match what {
            Source::Identity(what) => self.identity(what, at),
            Source::CpuModel => {
                let model = self.model.once(at, |()| cpuinfo::read(roots, buffer))?;
                Ok(Value::text(model.clone()))
            }
            Source::Topology(what) => self.topology(what, at),
            Source::Frequency(what) => self.frequency(what, at),
            Source::Throttles => {
                let read = |tally: &mut _| {
                    let shape = self.topology.shape(at, roots, buffer)?;
                    throttle::read(&shape.cores, roots, buffer, tally)
                };
                self.throttles.at(at, read).copied().map(Value::Whole)
            }
            Source::CpuTime(what) => self.stat(at)?.time(what, units),
            Source::CpuShare(what) => window.share(Share::Cpu(what), self, at),
            Source::BootTime => self.stat(at)?.boot_time(),
            Source::ProcsRunning => self.stat(at)?.procs_running(),
            Source::Load(what) => self.load.at(at, |()| loadavg::read(roots, buffer))?.value(what),
            Source::Pressure(resource, stall, figure) => {
                let (sample, file) = match resource {
                    Resource::Cpu => (&mut self.pressure_cpu, "pressure/cpu"),
                    Resource::Memory => (&mut self.pressure_memory, "pressure/memory"),
                    Resource::Io => (&mut self.pressure_io, "pressure/io"),
                };
                let read = |counters: &mut _| pressure::read(file, roots, at, buffer, counters);
                sample.at(at, read)?.value(stall, figure)
            }
            Source::Memory(what) => {
                self.meminfo.at(at, |()| meminfo::read(roots, buffer))?.value(what)
            }
            Source::KsmSaved => {
                let pages = self.ksm.at(at, |()| ksm::read(roots, buffer))?;
                Ok(units.pages(*pages))
            }
            Source::Paging(what) => {
                let read = |counters: &mut _| vmstat::read(roots, at, buffer, counters);
                self.vmstat.at(at, read)?.value(what, units)
            }
            Source::Disk(what) => Ok(self.disks(at)?.value(what)),
            Source::DiskBusy => window.share(Share::Disk, self, at),
            Source::Net(direction, what) => {
                let read = |devices: &mut _| netdev::read(roots, at, buffer, devices);
                Ok(self.interfaces.at(at, read)?.value(direction, what))
            }
        }
    }

    fn identity(&mut self, what: Identity, at: Moment) -> Result<Value<'static>, Absent> {
        let (roots, buffer) = (&self.roots, &mut self.buffer);
        let text = match what {
            Identity::HostName => {
                self.host_name.at(at, |()| identity::kernel("hostname", roots, buffer))
            }
            Identity::Kernel => {
                self.kernel.at(at, |()| identity::kernel("osrelease", roots, buffer))
            }
            Identity::Vendor => {
                self.vendor.once(at, |()| identity::dmi("sys_vendor", roots, buffer))
            }
            Identity::Product => {
                self.product.once(at, |()| identity::dmi("product_name", roots, buffer))
            }
        };
        Ok(Value::text(text?.clone()))
    }

    fn topology(&mut self, what: source::Topology, at: Moment) -> Result<Value<'static>, Absent> {
        let (roots, buffer) = (&self.roots, &mut self.buffer);
        let number = match what {
            source::Topology::Online | source::Topology::Threads => {
                let online = self.topology.online(at, roots, buffer).map(count);
                // A container may have no sysfs.
                online.or_else(|absent| self.stat(at).ok().and_then(Stat::cpus).ok_or(absent))
            }
            source::Topology::Sockets => {
                self.topology.shape(at, roots, buffer).map(|shape| shape.sockets)
            }
            source::Topology::Cores => {
                self.topology.shape(at, roots, buffer).map(|shape| count(&shape.cores))
            }
            source::Topology::Nodes => self.topology.nodes(at, roots, buffer),
        };
        number.map(Value::Whole)
    }

    fn frequency(&mut self, what: Frequency, at: Moment) -> Result<Value<'static>, Absent> {
        let (roots, buffer) = (&self.roots, &mut self.buffer);
        let (sample, file) = match what {
            Frequency::Current => (&mut self.frequency, "cpufreq/scaling_cur_freq"),
            Frequency::Maximum => (&mut self.frequency_max, "cpufreq/cpuinfo_max_freq"),
        };
        let read = |(): &mut ()| {
            let online = self.topology.online(at, roots, buffer)?;
            cpufreq::mean(file, online, at, roots, buffer)
        };
        sample.at(at, read).copied().map(Value::Whole)
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

    /// How long each CPU was busy since boot, in ticks.
    pub(crate) fn busy_of_each(&mut self, at: Moment) -> Result<&[(u32, u64)], Absent> {
        self.stat(at).map(Stat::busy_of_each)
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
