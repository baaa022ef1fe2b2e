//! libvirt's statistics to figures: `virsh domstats` shows them by the same names.

use hostinfo_domains::limits::{DEV_MAX, DISKS_MAX, NETS_MAX};
use hostinfo_domains::{Disk, Figures, Limits, Net};

use crate::raw::{Param, Value};

/// What was told of a domain that it can also be described by.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    /// virDomainState.
    pub(crate) state: Option<u64>,
    /// virDomainPausedReason, and what else fits the state.
    pub(crate) reason: Option<u64>,
    /// vCPUs that are online.
    pub(crate) vcpus: Option<u64>,
}

/// Reads a domain's statistics. `limits` are those of its XML.
pub(crate) fn figures(params: &[Param], limits: &[(String, Limits)]) -> (Figures, Told) {
    let mut found = Found::default();
    for (name, value) in params {
        let mut words = name.split('.');
        let place = match (words.next(), words.next(), words.next(), words.next()) {
            (Some("block"), Some(number), Some(what), which) => {
                found.block(number, what, which, value)
            }
            (Some("net"), Some(number), Some(way), Some(what)) => found.net(number, way, what),
            (Some(group), Some(what), None, None) => found.own(group, what),
            _ => None,
        };
        if let (Some(place), Value::Number(number)) = (place, value) {
            *place = Some(*number);
        }
    }
    found.done(limits)
}

#[derive(Default)]
struct Found {
    figures: Figures,
    disks: Vec<Disk>,
    told: Told,
}

/// Where a number goes to.
type Place<'a> = Option<&'a mut Option<u64>>;

impl Found {
    /// `balloon.current`, and what is like it.
    fn own(&mut self, group: &str, what: &str) -> Place<'_> {
        Some(match (group, what) {
            ("balloon", "current") => &mut self.figures.memory_current,
            ("balloon", "maximum") => &mut self.figures.memory_maximum,
            ("state", "state") => &mut self.told.state,
            ("state", "reason") => &mut self.told.reason,
            ("vcpu", "current") => &mut self.told.vcpus,
            _ => return None,
        })
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

    fn done(self, limits: &[(String, Limits)]) -> (Figures, Told) {
        let Self { mut figures, disks, told } = self;
        for memory in [&mut figures.memory_current, &mut figures.memory_maximum] {
            *memory = memory.and_then(|kib| kib.checked_mul(1024));
        }
        figures.disks = disks;
        figures.disks.retain(|disk| !disk.dev.is_empty() && disk.dev.len() <= DEV_MAX);
        for disk in &mut figures.disks {
            if let Some((_, limits)) = limits.iter().find(|(dev, _)| *dev == disk.dev) {
                (disk.limit_bytes, disk.limit_ops) = (limits.bytes, limits.ops);
            }
        }
        (figures, told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostinfo_domains::{Io, Traffic};

    fn read(lines: &str) -> (Figures, Told) {
        let params: Vec<Param> = lines
            .lines()
            .filter_map(|line| line.trim().split_once('='))
            .map(|(name, value)| {
                let number = value.parse().map(Value::Number);
                (name.to_owned(), number.unwrap_or_else(|_| Value::Text(value.to_owned())))
            })
            .collect();
        figures(&params, &[("vdb".to_owned(), Limits { bytes: Some(9), ops: None })])
    }

    #[test]
    fn what_domstats_tells_is_understood() {
        let (figures, told) = read(
            "state.state=1
            state.reason=5
            balloon.current=131072
            balloon.maximum=262144
            vcpu.current=1
            vcpu.maximum=2
            vcpu.0.time=2160000000
            net.count=1
            net.1.name=tap0
            net.1.rx.bytes=90
            net.1.rx.pkts=1
            net.1.rx.errs=2
            net.1.rx.drop=3
            net.1.tx.bytes=4
            block.count=2
            block.0.name=sda
            block.1.name=vdb
            block.1.path=/disk
            block.1.rd.reqs=1
            block.1.rd.bytes=512
            block.1.rd.times=107644
            block.1.wr.reqs=7
            block.1.fl.times=8",
        );
        assert_eq!(told, Told { state: Some(1), reason: Some(5), vcpus: Some(1) });
        assert_eq!(figures.memory_current, Some(134_217_728));
        assert_eq!(figures.memory_maximum, Some(268_435_456));
        let read = Io { bytes: Some(512), ops: Some(1), nanos: Some(107_644) };
        let write = Io { ops: Some(7), ..Io::default() };
        let flush = Io { nanos: Some(8), ..Io::default() };
        let vdb = Disk {
            dev: "vdb".to_owned(),
            read,
            write,
            flush,
            limit_bytes: Some(9),
            limit_ops: None,
        };
        assert_eq!(figures.disks, [Disk { dev: "sda".to_owned(), ..Disk::default() }, vdb]);
        let rx = Traffic { bytes: Some(90), packets: Some(1), drops: Some(3), errors: Some(2) };
        let tx = Traffic { bytes: Some(4), ..Traffic::default() };
        assert_eq!(figures.nets, [Net { number: 1, rx, tx }]);
    }

    #[test]
    fn what_is_missing_is_not_zero_and_what_is_too_much_is_left_out() {
        assert_eq!(read(""), (Figures::default(), Told::default()));
        let many: String = (0..1000)
            .map(|number| format!("net.{number}.rx.bytes=1\nblock.{number}.name=vd{number}\n"))
            .collect();
        let (figures, _) = read(&many);
        assert_eq!((figures.nets.len(), figures.disks.len()), (NETS_MAX, DISKS_MAX));
        let (figures, _) = read(&format!(
            "block.18446744073709551615.name=a\nblock.0.name={}\nballoon.current={}",
            "x".repeat(DEV_MAX + 1),
            u64::MAX
        ));
        assert_eq!(figures, Figures::default());
    }
}
