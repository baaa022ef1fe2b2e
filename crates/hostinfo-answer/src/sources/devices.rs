//! A guest's disks and interfaces as libvirt reports them: which ones it has, and their statistics.

use std::collections::HashMap;

use hostinfo_catalog::StatId;
use hostinfo_catalog::source::{Amount, Direction, Libvirt as Source, Limit, Operation, Traffic};
use hostinfo_domains::{Disk, Figures, Limits, Net};
use hostinfo_sample::Absent;
use hostinfo_wire::{Refusal, Value, name};

use super::libvirt::{NOT_REPORTED, nanos};
use super::{Sources, unavailable};

const NONE: Absent = Absent::plain("this guest has none");
const UNLIMITED: Absent = Absent::plain("this interface has no limit");

/// Indices into libvirt's values, by name and by number. Built once for a reply, since each device
/// has ten or twelve statistics.
pub(crate) struct Devices {
    disks: HashMap<Box<str>, usize>,
    nets: HashMap<u64, usize>,
}

impl Devices {
    /// The devices in these figures. If two have the same name, the first one counts.
    fn of(figures: &Figures) -> Self {
        let (mut disks, mut nets) = (HashMap::new(), HashMap::new());
        for (place, disk) in figures.disks.iter().enumerate() {
            disks.entry(disk.dev.as_str().into()).or_insert(place);
        }
        for (place, net) in figures.nets.iter().enumerate() {
            nets.entry(net.number.into()).or_insert(place);
        }
        Self { disks, nets }
    }

    /// The index of a disk.
    fn disk(&self, dev: &str) -> Option<usize> {
        self.disks.get(dev).copied()
    }

    /// The index of an interface.
    fn net(&self, number: u64) -> Option<usize> {
        self.nets.get(&number).copied()
    }
}

impl Sources<'_, '_> {
    /// The names of the guest's disks.
    pub(super) fn disks(&mut self) -> Vec<String> {
        let disks = self.with_figures(|figures, _| {
            let names = figures.disks.iter().map(|disk| disk.dev.as_str());
            names.filter(|dev| name::is_segment(dev)).map(str::to_owned).collect()
        });
        disks.unwrap_or_default()
    }

    /// The same names, each with the disk's limits.
    pub(super) fn limited_disks(&mut self) -> Vec<(String, Limits)> {
        let disks = self.with_figures(|figures, _| {
            let named = figures.disks.iter().filter(|disk| name::is_segment(&disk.dev));
            named.map(|disk| (disk.dev.clone(), disk.limits)).collect()
        });
        disks.unwrap_or_default()
    }

    /// The numbers of the guest's interfaces.
    pub(super) fn interfaces(&mut self) -> Vec<String> {
        let numbers = self.with_figures(|figures, _| {
            figures.nets.iter().map(|net| net.number.to_string()).collect()
        });
        numbers.unwrap_or_default()
    }

    /// The index of a device in the latest figures.
    fn device(&mut self, find: impl FnOnce(&Devices) -> Option<usize>) -> Option<usize> {
        if self.devices.is_none() {
            let (figures, _) = self.domain().ok()?.figures.as_ref()?;
            self.devices = Some(Devices::of(figures));
        }
        self.devices.as_ref().and_then(find)
    }

    /// Whether there is a disk of that name among [`Sources::disks`].
    pub(super) fn has_disk(&mut self, name: &str) -> bool {
        let is_reported = name::is_segment(name) && self.with_figures(|_, _| ()).is_ok();
        is_reported && self.device(|all| all.disk(name)).is_some()
    }

    /// Whether there is an interface of that number among [`Sources::interfaces`].
    pub(super) fn has_interface(&mut self, number: &str) -> bool {
        let number = number.parse().ok().filter(|_| self.with_figures(|_, _| ()).is_ok());
        number.is_some_and(|number| self.device(|all| all.net(number)).is_some())
    }

    pub(super) fn of_disk(
        &mut self,
        stat: StatId,
        what: Source,
        dev: Option<&str>,
    ) -> Result<Value<'static>, Refusal> {
        let place = dev.and_then(|dev| self.device(|all| all.disk(dev)));
        let value = self.with_figures(|figures, history| {
            let disk = place.and_then(|place| figures.disks.get(place));
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
            value.ok_or_else(|| unavailable(NOT_REPORTED))
        });
        if what == Source::DiskLatency && matches!(value, Ok(Ok(_))) {
            self.times.window = self.times.window.or(self.observed.history().window());
        }
        value.map_err(unavailable)?
    }

    pub(super) fn of_net(
        &mut self,
        stat: StatId,
        what: Source,
        number: Option<&str>,
    ) -> Result<Value<'static>, Refusal> {
        let wanted = number.and_then(|number| number.parse().ok());
        let place = wanted.and_then(|number| self.device(|all| all.net(number)));
        let value = self.with_figures(|figures, history| {
            let net = place.and_then(|place| figures.nets.get(place));
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
            value.map(Value::Whole).ok_or_else(|| unavailable(NOT_REPORTED))
        });
        value.map_err(unavailable)?
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

/// The refusal of an unknown instance; without an instance, the reason why there are none.
fn no_such(instance: Option<&str>) -> Refusal {
    instance.map_or_else(|| unavailable(NONE), |_| Refusal::NoSuchStatistic)
}
