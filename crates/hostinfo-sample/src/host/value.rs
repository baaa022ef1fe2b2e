//! Which file of the host each statistic comes from.

use hostinfo_catalog::source::{self, Frequency, Identity, Resource};
use hostinfo_wire::Value;

use super::Host;
use crate::shares::{HostWindow, Share};
use crate::stat::Stat;
use crate::topology::count;
use crate::{
    Absent, Moment, cpufreq, cpuinfo, identity, ksm, loadavg, meminfo, netdev, pressure, throttle,
    vmstat,
};

impl Host {
    pub(super) fn look(
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
}
