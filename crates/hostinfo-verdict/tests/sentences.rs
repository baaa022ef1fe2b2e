//! What guests read for each cause: `fixtures/sentences.txt`.

#![allow(clippy::panic, clippy::unwrap_used)]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use hostinfo_catalog::source::Judged;
use hostinfo_catalog::{Kind, StatId};
use hostinfo_domains::{Limit, Limits};
use hostinfo_sample::{Bounds, CpuUse, IoLimit, IoWay, Used};
use hostinfo_verdict::{Devices, Interval, Sample, judge};
use hostinfo_wire::Value;

const TABLE: &str = include_str!("../fixtures/sentences.txt");

const MINUTE: Duration = Duration::from_secs(60);

/// How figures changed in a minute: the growth of counters, and the value of gauges.
struct Figures<'t>(HashMap<&'t str, f64>);

impl<'t> Figures<'t> {
    fn read(lines: &[&'t str]) -> Self {
        let all = lines.iter().flat_map(|line| line.split_whitespace());
        let figures = all.map(|figure| {
            let (name, value) = figure.split_once('=').unwrap();
            (name, value.parse().unwrap())
        });
        Self(figures.collect())
    }

    fn time(&self, name: &str) -> Duration {
        Duration::from_secs_f64(self.0.get(name).copied().unwrap_or_default())
    }

    fn whole(&self, name: &str) -> Option<u64> {
        self.0.get(name).map(|_| self.time(name).as_secs())
    }

    fn used(&self, bytes: &str, limit: &str) -> Option<Used> {
        Some(Used { bytes: self.whole(bytes)?, limit: self.whole(limit)? })
    }

    /// All waited alike, unless `ONE` says that a single vCPU did all the waiting.
    fn vcpu_delays(&self, times: u32) -> Arc<[u32]> {
        let delay = u32::try_from(self.time("vm.cpu.delay").as_micros()).unwrap() * times;
        let vcpus = u32::try_from(self.whole("vm.vcpus").unwrap_or(1)).unwrap();
        let alike = (0..vcpus).map(|_| delay / vcpus);
        if self.0.contains_key("ONE") { [delay].into() } else { alike.collect() }
    }

    fn limit_of_cgroup(&self, times: u32) -> Option<IoLimit> {
        let none = IoWay { bytes_max: None, ops_max: None, bytes: 0, ops: 0 };
        let ops_max = Some(self.whole("CGROUP-READS-LIMIT")?);
        let read = IoWay { ops_max, ops: self.whole("CGROUP-READS")? * u64::from(times), ..none };
        Some(IoLimit { is_own: true, level: 0, disk: (8, 0), read, write: none })
    }

    /// A sample at the beginning of the minute (`times` is 0) or at its end (1).
    fn sample(&self, times: u32) -> Sample {
        let grown = |name: &str| self.time(name) * times;
        let cpus = self.whole("CPUS").map(|number| CpuUse {
            cpus: (0..u32::try_from(number).unwrap()).collect(),
            online: 4,
            busy: grown("BUSY"),
            counted_busy: grown("BUSY"),
            counted_idle: (MINUTE * u32::try_from(number).unwrap()).saturating_sub(grown("BUSY"))
                * times,
            own_others: grown("THREADS"),
            own_others_delay: grown("THREADS-DELAY"),
        });
        let is_shared = self.0.contains_key("SHARED");
        let bounds = Bounds {
            throttled_around: Some(grown("AROUND")),
            cpu_limit: self.0.get("QUOTA-AROUND").map(|cpus| Duration::from_secs_f64(*cpus)),
            cpu_limit_is_shared: is_shared,
            memory: self.used("USED", "LIMIT"),
            memory_around: self.used("USED-AROUND", "LIMIT-AROUND"),
            memory_limit_around_is_lowest: !self.0.contains_key("LIMIT"),
            memory_hits: self.whole("HITS").map(|hits| hits * u64::from(times)),
            memory_hits_around: self.whole("HITS-AROUND").map(|hits| hits * u64::from(times)),
            swapped: self.whole("SWAPPED"),
            memory_limit_is_shared: is_shared,
            major_faults: self.whole("FAULTS").map(|faults| faults * u64::from(times)),
            freed_for_host: self.whole("FREED").map(|pages| pages * u64::from(times)),
            threads_run: Some(grown("THREADS")),
            threads_throttled: Some(grown("THREADS-THROTTLED")),
            vcpu_delays: Some(self.vcpu_delays(times)),
            cpus,
            io_limits: self.limit_of_cgroup(times).into_iter().collect(),
        };
        let limit = |name: &str| Limit {
            total: self.whole(&format!("{name}-LIMIT")),
            read: self.whole(&format!("READ-{name}-LIMIT")),
            write: self.whole(&format!("WRITE-{name}-LIMIT")),
        };
        let is_unclear = self.0.contains_key("UNCLEAR-LIMIT");
        let limits = Limits { bytes: limit("BYTES"), ops: limit("OPS"), is_unclear };
        let devices = Devices {
            disks: &[("vda".to_owned(), limits)],
            interfaces: &["0".to_owned()],
            age: Duration::ZERO,
        };
        Sample::take(devices, bounds, |stat: StatId, _| {
            let figure = self.0.get(stat.stat().name)?;
            let is_gauge = stat.stat().kind == Kind::Gauge;
            let times = if is_gauge { 1.0 } else { f64::from(times) };
            Some(Value::seconds(Duration::from_secs_f64(figure * times)))
        })
    }
}

#[test]
fn each_cause_has_its_sentence() {
    let mut causes = 0;
    for told in TABLE.split("\n\n").skip(1) {
        let lines: Vec<&str> = told.lines().collect();
        let [cause, figures @ .., sentence] = lines.as_slice() else { panic!("{told}") };
        let figures = Figures::read(figures);
        let samples = [0, 1].map(|times| figures.sample(times));
        let interval = Interval::new(vec![(Duration::ZERO, &samples[0]), (MINUTE, &samples[1])])
            .with_devices_coming(figures.0.contains_key("COMING"));
        let has = |group: &str| figures.0.keys().any(|name| name.starts_with(group));
        let what = match () {
            () if has("vm.cpu.") => Judged::Cpu,
            () if has("vm.memory.") => Judged::Memory,
            () if has("vm.net.") => Judged::Net,
            () => Judged::Io,
        };
        assert_eq!(judge(what, &interval, &|_, _| true).to_string(), *sentence, "{cause}");
        causes += 1;
    }
    assert_eq!(causes, 53);
}
