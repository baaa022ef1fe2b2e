//! What libvirt told of a guest, as statistics.
//!
//! A query is never held up by libvirt: it is answered with the newest figures that were told,
//! and has newer ones asked for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hostinfo_catalog::StatId;
use hostinfo_catalog::source::{
    Amount, Direction, Host as HostSource, Kvm, Libvirt as Source, Limit, Operation, Topology,
    Traffic,
};
use hostinfo_domains::limits::VCPUS_MAX;
use hostinfo_domains::{Disk, Figures, Guest as Domain, Limits, Net, Vcpu};
use hostinfo_sample::Absent;
use hostinfo_wire::limits::SAMPLE_GRID;
use hostinfo_wire::{Refusal, Value, name};

use super::devices::Devices;
use super::{Sources, unavailable};
use crate::history::{FRESH, History};
use crate::standing::Standing;

const NO_DOMAIN: Absent = Absent::plain("this guest is not a domain of libvirt");
const NONE: Absent = Absent::plain("this guest has none");
const UNTOLD: Absent = Absent::plain("libvirt does not report this for this guest");
const NO_KVM: Absent = Absent::plain("this guest does not run on KVM, which counts this");
const UNCOUNTED: Absent = Absent::plain(
    "libvirt does not report this for this guest now: it needs libvirt 8.9, QEMU 7.1 and x86",
);
const UNLIMITED: Absent = Absent::plain("this interface has no limit");

impl Sources<'_, '_> {
    /// The value of a statistic that libvirt tells.
    pub(super) fn of_libvirt(
        &mut self,
        stat: StatId,
        what: Source,
        instance: Option<&str>,
    ) -> Result<Value<'static>, Refusal> {
        let value = match what {
            Source::HypervisorVersion | Source::GuestsRunning | Source::Overcommit => {
                self.of_all(what)
            }
            Source::Uuid => self.domain().map(|told| Value::text(told.domain.uuid.to_string())),
            Source::VcpusMax => self.domain().map(|told| Value::Whole(told.domain.vcpus_max)),
            Source::Paused => self.paused(stat),
            Source::Migrating => {
                // Its start is no event: it is seen when figures are told.
                let seen = self.with_figures(|_, _| ());
                seen.and_then(|()| self.domain()).map(|told| Value::truth(told.domain.migrating))
            }
            Source::BlockJob => self.figure(|told| told.block_job.map(Value::truth)),
            Source::MemoryCurrent => self.figure(|told| told.memory_current.map(Value::Whole)),
            Source::MemoryMaximum => self.figure(|told| told.memory_maximum.map(Value::Whole)),
            Source::BalloonTaken => self.figure(|told| {
                let taken = told.memory_maximum?.saturating_sub(told.memory_current?);
                Some(Value::Whole(taken))
            }),
            Source::Kvm(what) => self.of_kvm(stat, what),
            Source::Disk(..) | Source::DiskErrors | Source::DiskLimit(_) | Source::DiskLatency => {
                return self.of_disk(stat, what, instance);
            }
            Source::Net(..) | Source::NetLimit(_) => return self.of_net(stat, what, instance),
        };
        value.map_err(unavailable)
    }

    /// vCPUs that are online, where libvirt knows the guest.
    pub(super) fn told_vcpus(&self) -> Option<Value<'static>> {
        self.domain().ok().map(|told| Value::Whole(told.domain.vcpus))
    }

    /// The names of the guest's disks.
    pub(super) fn disks(&mut self) -> Vec<String> {
        let disks = self.with_figures(|told, _| {
            let names = told.disks.iter().map(|disk| disk.dev.as_str());
            names.filter(|dev| name::is_segment(dev)).map(str::to_owned).collect()
        });
        disks.unwrap_or_default()
    }

    /// The same names, each with what that disk is limited to.
    pub(super) fn limited_disks(&mut self) -> Vec<(String, Limits)> {
        let disks = self.with_figures(|told, _| {
            let named = told.disks.iter().filter(|disk| name::is_segment(&disk.dev));
            named.map(|disk| (disk.dev.clone(), disk.limits)).collect()
        });
        disks.unwrap_or_default()
    }

    /// The numbers of its interfaces.
    pub(super) fn interfaces(&mut self) -> Vec<String> {
        let numbers = self
            .with_figures(|told, _| told.nets.iter().map(|net| net.number.to_string()).collect());
        numbers.unwrap_or_default()
    }

    /// How old the figures are that libvirt told of it.
    pub(super) fn figures_age(&self) -> Duration {
        let told = self.domain().ok().and_then(|told| told.figures.as_ref());
        told.map(|(_, at)| self.when.now.saturating_duration_since(*at)).unwrap_or_default()
    }

    /// Where a device is in the newest figures.
    fn device(&mut self, find: impl FnOnce(&Devices) -> Option<usize>) -> Option<usize> {
        if self.devices.is_none() {
            let (figures, _) = self.domain().ok()?.figures.as_ref()?;
            self.devices = Some(Devices::of(figures));
        }
        self.devices.as_ref().and_then(find)
    }

    /// Whether there is a disk of that name, as [`Sources::disks`] tells of all.
    pub(super) fn has_disk(&mut self, name: &str) -> bool {
        let is_told = name::is_segment(name) && self.with_figures(|_, _| ()).is_ok();
        is_told && self.device(|all| all.disk(name)).is_some()
    }

    /// Whether there is an interface of that number, as [`Sources::interfaces`] tells of all.
    pub(super) fn has_interface(&mut self, number: &str) -> bool {
        let number = number.parse().ok().filter(|_| self.with_figures(|_, _| ()).is_ok());
        number.is_some_and(|number| self.device(|all| all.net(number)).is_some())
    }

    fn of_all(&mut self, what: Source) -> Result<Value<'static>, Absent> {
        let known = Arc::clone(self.libvirt.tells()?);
        match what {
            Source::HypervisorVersion => {
                let told = known.hypervisor().ok_or(Absent::AGAIN)?;
                Ok(Value::text(told.version.clone()))
            }
            Source::Overcommit => {
                let cpus = self.host.value(HostSource::Topology(Topology::Online), self.at)?;
                let Value::Whole(cpus @ 1..) = cpus else { return Err(UNTOLD) };
                let millionths = u128::from(known.vcpus()) * 1_000_000 / u128::from(cpus);
                Ok(Value::Micro(i64::try_from(millionths).unwrap_or(i64::MAX)))
            }
            _ => Ok(Value::Whole(known.running())),
        }
    }

    fn of_disk(
        &mut self,
        stat: StatId,
        what: Source,
        dev: Option<&str>,
    ) -> Result<Value<'static>, Refusal> {
        let place = dev.and_then(|dev| self.device(|all| all.disk(dev)));
        let told = self.with_figures(|told, history| {
            let disk = place.and_then(|place| told.disks.get(place));
            let disk = disk.ok_or_else(|| no_such(dev))?;
            let value = match what {
                Source::DiskLimit(Limit::Bytes) => disk.limits.bytes.in_all().map(Value::Whole),
                Source::DiskLimit(Limit::Ops) => disk.limits.ops.in_all().map(Value::Whole),
                Source::DiskErrors => {
                    disk.errors.map(|now| Value::Whole(history.count(stat, dev, now)))
                }
                Source::Disk(operation, amount) => done(disk, operation, amount).map(|now| {
                    let sum = history.count(stat, dev, now);
                    if amount == Amount::Seconds { nanos(sum) } else { Value::Whole(sum) }
                }),
                _ => {
                    let latency = history.latency(&disk.dev);
                    return latency.map(Value::seconds).map_err(unavailable);
                }
            };
            value.ok_or_else(|| unavailable(UNTOLD))
        });
        if what == Source::DiskLatency && matches!(told, Ok(Ok(_))) {
            self.extent.window = self.extent.window.or(self.observed.history.window());
        }
        told.map_err(unavailable)?
    }

    fn of_net(
        &mut self,
        stat: StatId,
        what: Source,
        number: Option<&str>,
    ) -> Result<Value<'static>, Refusal> {
        let wanted = number.and_then(|number| number.parse().ok());
        let place = wanted.and_then(|number| self.device(|all| all.net(number)));
        let told = self.with_figures(|told, history| {
            let net = place.and_then(|place| told.nets.get(place));
            let net = net.ok_or_else(|| no_such(number))?;
            let value = match what {
                Source::NetLimit(direction) => match limit(net, direction) {
                    Some(0) => return Err(unavailable(UNLIMITED)),
                    limit => limit,
                },
                Source::Net(direction, traffic) => {
                    carried(net, direction, traffic).map(|now| history.count(stat, number, now))
                }
                _ => None,
            };
            value.map(Value::Whole).ok_or_else(|| unavailable(UNTOLD))
        });
        told.map_err(unavailable)?
    }

    /// The sum of all vCPUs that there were in this session: one that is unplugged stays in it.
    fn of_kvm(&mut self, stat: StatId, what: Kvm) -> Result<Value<'static>, Absent> {
        if !self.domain()?.domain.is_kvm {
            return Err(NO_KVM);
        }
        let sum = self.with_figures(|told, history| {
            let each = told.vcpus.iter().filter_map(|vcpu| Some((vcpu.number, kvm(vcpu, what)?)));
            let mut each = each.take(VCPUS_MAX).peekable();
            if each.peek().is_some() {
                return Some(history.count_parts(stat, each));
            }
            let of_all = told.halt_poll.filter(|_| what == Kvm::HaltPoll)?;
            Some(history.count(stat, None, of_all))
        })?;
        let sum = sum.ok_or(UNCOUNTED)?;
        Ok(if what == Kvm::HaltPoll { nanos(sum) } else { Value::Whole(sum) })
    }

    fn paused(&mut self, stat: StatId) -> Result<Value<'static>, Absent> {
        let paused = self.domain()?.paused(self.when.now).as_nanos();
        let paused = u64::try_from(paused).unwrap_or(u64::MAX);
        Ok(nanos(self.observed.history.count(stat, None, paused)))
    }

    fn figure(
        &mut self,
        pick: impl FnOnce(&Figures) -> Option<Value<'static>>,
    ) -> Result<Value<'static>, Absent> {
        self.with_figures(|told, _| pick(told))?.ok_or(UNTOLD)
    }

    /// What libvirt knows of the guest.
    fn domain(&self) -> Result<&Arc<Domain>, Absent> {
        let known = self.libvirt.tells()?;
        match &self.who.standing {
            Standing::Domain(uuid, _) => known.guest(*uuid).ok_or(NO_DOMAIN),
            Standing::Unnamed | Standing::Refused(_) | Standing::Awaited => Err(NO_DOMAIN),
        }
    }

    /// Picks from the newest figures; newer ones are asked for.
    fn with_figures<T>(
        &mut self,
        pick: impl FnOnce(&Figures, &mut History) -> T,
    ) -> Result<T, Absent> {
        let told = Arc::clone(self.domain()?);
        let age = |at: Instant| self.when.now.saturating_duration_since(at);
        let fresh = told.figures.as_ref().filter(|(_, at)| age(*at) <= FRESH);
        let history = &mut self.observed.history;
        let age = fresh.map(|(_, at)| history.age(*at, self.when.now));
        if !self.is_sample && history.may_refresh(self.when.now) {
            self.libvirt.refresh(told.domain.uuid, self.when.now);
        }
        let ((figures, at), age) = fresh.zip(age).ok_or(Absent::AGAIN)?;
        let steps = age.as_nanos().div_ceil(SAMPLE_GRID.as_nanos());
        let steps = u32::try_from(steps).unwrap_or(u32::MAX);
        self.extent.age = self.extent.age.max(SAMPLE_GRID.saturating_mul(steps));
        self.observed.history.look(&figures.disks, *at);
        Ok(pick(figures, &mut self.observed.history))
    }
}

fn done(disk: &Disk, operation: Operation, amount: Amount) -> Option<u64> {
    let io = match operation {
        Operation::Read => disk.read,
        Operation::Write => disk.write,
        Operation::Flush => disk.flush,
    };
    match amount {
        Amount::Bytes => io.bytes,
        Amount::Ops => io.ops,
        Amount::Seconds => io.nanos,
    }
}

fn carried(net: &Net, direction: Direction, traffic: Traffic) -> Option<u64> {
    let way = match direction {
        Direction::Rx => net.rx,
        Direction::Tx => net.tx,
    };
    match traffic {
        Traffic::Bytes => way.bytes,
        Traffic::Packets => way.packets,
        Traffic::Drops => way.drops,
        Traffic::Errors => way.errors,
    }
}

fn limit(net: &Net, direction: Direction) -> Option<u64> {
    match direction {
        Direction::Rx => net.rx_limit,
        Direction::Tx => net.tx_limit,
    }
}

fn kvm(vcpu: &Vcpu, what: Kvm) -> Option<u64> {
    match what {
        Kvm::Exits => vcpu.exits,
        Kvm::IoExits => vcpu.io_exits,
        Kvm::MmioExits => vcpu.mmio_exits,
        Kvm::HaltExits => vcpu.halt_exits,
        Kvm::Irqs => vcpu.irqs,
        Kvm::HaltPoll => vcpu.halt_poll,
    }
}

fn nanos(nanos: u64) -> Value<'static> {
    Value::seconds(Duration::from_nanos(nanos))
}

/// A name that there is not; without one, it is asked why there are none.
fn no_such(instance: Option<&str>) -> Refusal {
    instance.map_or_else(|| unavailable(NONE), |_| Refusal::NoSuchStatistic)
}
