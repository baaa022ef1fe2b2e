//! Converts libvirt's statistics to figures: `virsh domstats` shows them under the same names.

use std::collections::BTreeMap;

use hostinfo_domains::limits::{DEV_MAX, DISKS_MAX, NETS_MAX, VCPUS_MAX};
use hostinfo_domains::{Configured, Disk, Figures, Net, Vcpu};

use crate::raw::{Param, Value};

/// Parts of the statistics that also describe the domain.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Extra {
    /// virDomainState.
    pub(crate) state: Option<u64>,
    /// virDomainPausedReason, or the corresponding reason for another state.
    pub(crate) reason: Option<u64>,
    /// vCPUs that are online.
    pub(crate) vcpus: Option<u64>,
    /// Interfaces by their numbers in [`Figures::nets`], with the host's names for them.
    pub(crate) interfaces: Vec<(u32, String)>,
}

/// Reads a domain's statistics. `disks` are those of its XML.
pub(crate) fn figures(params: &[Param], disks: &[Configured]) -> (Figures, Extra) {
    let mut found = Found::default();
    for (name, value) in params {
        let mut words = name.split('.');
        let place = match (words.next(), words.next(), words.next(), words.next()) {
            (Some("block"), Some(number), Some(what), which) => {
                found.block(number, what, which, value)
            }
            (Some("net"), Some(number), Some(way), Some(what)) => found.net(number, way, what),
            (Some("net"), Some(number), Some("name"), None) => found.interface(number, value),
            (Some("vcpu"), Some(number), Some(what), Some("sum")) => found.vcpu(number, what),
            (Some("cpu"), Some("haltpoll"), Some("success" | "fail"), Some("time")) => {
                Some(&mut found.figures.halt_poll)
            }
            (Some(group), Some(what), None, None) => found.own(group, what),
            _ => None,
        };
        if let (Some(place), Value::Number(number)) = (place, value) {
            // Polling time is reported in two parts: polling that ended because there was work, and
            // the rest.
            *place = Some(place.unwrap_or_default().saturating_add(*number));
        }
    }
    found.done(disks)
}

/// Reads what `virsh domiftune` shows for an interface: how many bytes a second the guest may
/// receive and send.
pub(crate) fn bandwidth(params: &[Param]) -> (Option<u64>, Option<u64>) {
    let average = |name: &str| {
        let value = params.iter().find(|(param, _)| param == name);
        value.and_then(|(_, value)| match value {
            Value::Number(kilobytes) => kilobytes.checked_mul(KILOBYTE),
            Value::Text(_) => None,
        })
    };
    (average("inbound.average"), average("outbound.average"))
}

/// libvirt passes the number to tc(8) as `kbps`, which means 1000 bytes a second there: for an
/// average of 1000, `tc class show` reports 8 Mbit.
const KILOBYTE: u64 = 1000;

#[derive(Default)]
struct Found {
    figures: Figures,
    /// By number; if there are too many, one more than are reported.
    vcpus: BTreeMap<u32, Vcpu>,
    disks: Vec<Disk>,
    extra: Extra,
}

/// Where to store a number.
type Place<'a> = Option<&'a mut Option<u64>>;

impl Found {
    /// `balloon.current` and similar.
    fn own(&mut self, group: &str, what: &str) -> Place<'_> {
        Some(match (group, what) {
            ("balloon", "current") => &mut self.figures.memory_current,
            ("balloon", "maximum") => &mut self.figures.memory_maximum,
            ("state", "state") => &mut self.extra.state,
            ("state", "reason") => &mut self.extra.reason,
            ("vcpu", "current") => &mut self.extra.vcpus,
            _ => return None,
        })
    }

    /// `vcpu.0.exits.sum`: QEMU uses the kernel's names for what KVM counts. On architectures other
    /// than x86, KVM has only some of them.
    fn vcpu(&mut self, number: &str, what: &str) -> Place<'_> {
        let number = number.parse().ok()?;
        if self.vcpus.len() > VCPUS_MAX {
            return None;
        }
        let vcpu = self.vcpus.entry(number).or_insert(Vcpu { number, ..Vcpu::default() });
        Some(match what {
            "exits" => &mut vcpu.exits,
            "io_exits" => &mut vcpu.io_exits,
            "mmio_exits" => &mut vcpu.mmio_exits,
            "halt_exits" => &mut vcpu.halt_exits,
            "irq_injections" => &mut vcpu.irqs,
            "halt_poll_success_ns" | "halt_poll_fail_ns" => &mut vcpu.halt_poll,
            _ => return None,
        })
    }

    /// `net.0.name`
    fn interface(&mut self, number: &str, value: &Value) -> Place<'_> {
        if let (Ok(number), Value::Text(name)) = (number.parse(), value)
            && self.extra.interfaces.len() < NETS_MAX
        {
            self.extra.interfaces.push((number, name.clone()));
        }
        None
    }

    /// `block.0.name`, `block.0.rd.bytes`.
    fn block(&mut self, number: &str, what: &str, which: Option<&str>, value: &Value) -> Place<'_> {
        let number: usize = number.parse().ok().filter(|number| *number < DISKS_MAX)?;
        if self.disks.len() <= number {
            self.disks.resize_with(number + 1, Disk::default);
        }
        let disk = self.disks.get_mut(number)?;
        let io = match (what, value) {
            ("rd", _) => &mut disk.read,
            ("wr", _) => &mut disk.write,
            ("fl", _) => &mut disk.flush,
            ("name", Value::Text(dev)) => {
                disk.dev.clone_from(dev);
                return None;
            }
            _ => return None,
        };
        Some(match which? {
            "bytes" => &mut io.bytes,
            "reqs" => &mut io.ops,
            "times" => &mut io.nanos,
            _ => return None,
        })
    }

    /// `net.0.rx.bytes`.
    fn net(&mut self, number: &str, way: &str, what: &str) -> Place<'_> {
        let number = number.parse().ok()?;
        let nets = &mut self.figures.nets;
        let at = match nets.iter().position(|net| net.number == number) {
            Some(at) => at,
            None if nets.len() < NETS_MAX => {
                nets.push(Net { number, ..Net::default() });
                nets.len() - 1
            }
            None => return None,
        };
        let net = nets.get_mut(at)?;
        let traffic = match way {
            "rx" => &mut net.rx,
            "tx" => &mut net.tx,
            _ => return None,
        };
        Some(match what {
            "bytes" => &mut traffic.bytes,
            "pkts" => &mut traffic.packets,
            "drop" => &mut traffic.drops,
            "errs" => &mut traffic.errors,
            _ => return None,
        })
    }

    fn done(self, configured: &[Configured]) -> (Figures, Extra) {
        let Self { mut figures, vcpus, disks, extra } = self;
        if vcpus.len() <= VCPUS_MAX {
            figures.vcpus = vcpus.into_values().collect();
        }
        // libvirt 8.9 and later add up the figures of the vCPUs, and report 0 if they know nothing:
        // without KVM, and while a domain is busy. Earlier versions only report the figure of the
        // whole domain, from KVM's debugfs.
        figures.halt_poll = figures.halt_poll.filter(|nanos| *nanos != 0);
        for memory in [&mut figures.memory_current, &mut figures.memory_maximum] {
            *memory = memory.and_then(|kib| kib.checked_mul(1024));
        }
        figures.disks = disks;
        figures.disks.retain(|disk| !disk.dev.is_empty() && disk.dev.len() <= DEV_MAX);
        for disk in &mut figures.disks {
            if let Some(Configured { limits, .. }) =
                configured.iter().find(|own| own.dev == disk.dev)
            {
                disk.limits = *limits;
            }
        }
        (figures, extra)
    }
}

#[cfg(test)]
mod tests;
