use std::sync::Arc;
use std::time::Duration;

use hostinfo_sample::CpuUse;

use super::*;
use crate::Sample;
use crate::sample::Cpu;
use crate::verdict::State;

mod around;
mod bursts;
mod host;
mod one;
mod quota;
mod threads;

/// What happened to a guest in some time, on a host with four CPUs. All values in seconds.
#[derive(Clone, Copy)]
struct Stretch {
    length: f64,
    vcpus: u64,
    run: f64,
    delay: f64,
    /// Delay of the vCPU that waited most, unless all waited alike.
    worst: Option<f64>,
    throttled: Option<f64>,
    around: f64,
    is_shared: bool,
    quota: Option<f64>,
    quota_around: Option<f64>,
    /// The CPUs that the vCPUs may run on.
    cpus: Option<Used>,
    /// The VMM's other threads: time run and time waited.
    threads: Option<(f64, f64)>,
    /// Time those threads were held back by quotas of their own.
    threads_held: Option<f64>,
    /// Busy time of all CPUs of the host.
    busy: Option<f64>,
    stolen: f64,
}

#[derive(Clone, Copy)]
struct Used {
    first: u32,
    number: u32,
    busy: f64,
    /// How much of that the kernel did not count.
    uncounted: f64,
    /// The VMM's other threads on these CPUs: time run and time waited.
    own: (f64, f64),
}

/// A minute with little to do.
const QUIET: Stretch = Stretch {
    length: 60.0,
    vcpus: 2,
    run: 1.0,
    delay: 0.0,
    worst: None,
    throttled: Some(0.0),
    around: 0.0,
    is_shared: false,
    quota: None,
    quota_around: None,
    cpus: None,
    threads: Some((0.0, 0.0)),
    threads_held: Some(0.0),
    busy: Some(2.0),
    stolen: 0.0,
};

/// The one host CPU that the guest is pinned to.
const PINNED: Used = Used { first: 1, number: 1, busy: 0.0, uncounted: 0.0, own: (0.0, 0.0) };

/// One vCPU on that CPU.
const ON_ONE: Stretch = Stretch { vcpus: 1, cpus: Some(PINNED), ..QUIET };

/// So many CPUs that the vCPUs may run on, with their busy time.
fn on(number: u32, busy: f64) -> Option<Used> {
    Some(Used { number, busy, ..PINNED })
}

/// Adds to all counters, and sets the gauges to their value at the end.
fn grow(sample: &Sample, by: &Stretch) -> Sample {
    let cpu = &sample.cpu;
    let more = |before: Option<Duration>, by: f64| Some(before? + Duration::from_secs_f64(by));
    let (run, delay) = by.threads.unwrap_or_default();
    let used = by.cpus.unwrap_or(Used { busy: 0.0, ..PINNED });
    let last = cpu.cpus.as_ref().unwrap();
    let after = |before: Duration, by: f64| before + Duration::from_secs_f64(by);
    let cpus = CpuUse {
        cpus: (used.first..used.first + used.number).collect(),
        online: 4,
        busy: after(last.busy, used.busy),
        counted_busy: after(last.counted_busy, used.busy - used.uncounted),
        counted_idle: after(
            last.counted_idle,
            (f64::from(used.number) * by.length - used.busy).max(0.0),
        ),
        own_others: after(last.own_others, used.own.0),
        own_others_delay: after(last.own_others_delay, used.own.1),
    };
    let vcpus = u32::try_from(by.vcpus).unwrap();
    let worst = by.worst.unwrap_or(by.delay / f64::from(vcpus));
    let delays = (0..vcpus).map(|vcpu| {
        let last = cpu.vcpu_delays.as_ref().unwrap().get(vcpu as usize).copied();
        let rest = (by.delay - worst) / f64::from((vcpus - 1).max(1));
        let rise = Duration::from_secs_f64(if vcpu == 0 { worst } else { rest });
        last.unwrap_or_default().wrapping_add(u32::try_from(rise.as_micros()).unwrap())
    });
    let cpu = Cpu {
        vcpu_delays: Some(delays.collect()),
        vcpus: Some(by.vcpus),
        run: more(cpu.run, by.run),
        delay: more(cpu.delay, by.delay),
        threads_run: more(cpu.threads_run, run),
        threads_delay: more(cpu.threads_delay, delay),
        threads_throttled: more(cpu.threads_throttled, by.threads_held.unwrap_or_default()),
        throttled: more(cpu.throttled, by.throttled.unwrap_or_default()),
        throttled_around: more(cpu.throttled_around, by.around),
        is_quota_around_shared: by.is_shared,
        quota: by.quota.map(Duration::from_secs_f64),
        quota_around: by.quota_around.map(Duration::from_secs_f64),
        cpus: Some(cpus),
        host_busy: more(cpu.host_busy, by.busy.unwrap_or_default()),
        host_idle: more(
            cpu.host_idle,
            4.0 * by.length - by.busy.unwrap_or_default() - used.uncounted,
        ),
        host_stolen: more(cpu.host_stolen, by.stolen),
        host_stall: more(cpu.host_stall, by.length / 2.0),
    };
    Sample { cpu, ..Sample::default() }
}

/// The samples around these stretches.
fn samples(stretches: &[Stretch]) -> Vec<Sample> {
    let start = Some(Duration::from_secs(1000));
    let first = stretches.first().and_then(|first| first.cpus).unwrap_or(PINNED);
    let cpus = CpuUse {
        cpus: (first.first..first.first + first.number).collect::<Arc<[u32]>>(),
        online: 4,
        busy: Duration::from_secs(1000),
        counted_busy: Duration::from_secs(1000),
        counted_idle: Duration::from_secs(1000),
        own_others: Duration::from_secs(1000),
        own_others_delay: Duration::from_secs(1000),
    };
    let cpu = Cpu {
        // Overflows in the first seconds.
        vcpu_delays: Some([u32::MAX - 10].into()),
        vcpus: Some(1),
        run: start,
        delay: start,
        threads_run: start,
        threads_delay: start,
        threads_throttled: start,
        throttled: start,
        throttled_around: start,
        is_quota_around_shared: false,
        quota: None,
        quota_around: None,
        cpus: Some(cpus),
        host_busy: start,
        host_idle: start,
        host_stolen: start,
        host_stall: start,
    };
    let mut samples = vec![Sample { cpu, ..Sample::default() }];
    for stretch in stretches {
        samples.push(grow(samples.last().unwrap(), stretch));
    }
    // What is unknown in a stretch is unknown at both ends.
    for (at, stretch) in stretches.iter().enumerate() {
        for sample in &mut samples[at..at + 2] {
            let cpu = &mut sample.cpu;
            if stretch.throttled.is_none() {
                cpu.throttled = None;
            }
            if stretch.cpus.is_none() {
                cpu.cpus = None;
            }
            if stretch.busy.is_none() {
                (cpu.host_busy, cpu.host_idle) = (None, None);
            }
            if stretch.threads_held.is_none() {
                cpu.threads_throttled = None;
            }
            if stretch.threads.is_none() {
                (cpu.threads_run, cpu.threads_delay) = (None, None);
            }
        }
    }
    samples
}

fn judge(stretches: &[Stretch], permits: Permits<'_>) -> Verdict {
    let samples = samples(stretches);
    let mut at = Duration::ZERO;
    let mut timed = vec![(at, &samples[0])];
    for (stretch, sample) in stretches.iter().zip(&samples[1..]) {
        at += Duration::from_secs_f64(stretch.length);
        timed.push((at, sample));
    }
    cpu(&Interval::new(timed), permits)
}

impl Stretch {
    fn verdict_for(self, permits: Permits<'_>) -> Verdict {
        judge(&[self], permits)
    }

    fn verdict(self) -> String {
        self.verdict_for(&|_, _| true).to_string()
    }

    fn state(self) -> State {
        self.verdict_for(&|_, _| true).state
    }
}

#[test]
fn a_guest_alone_on_its_host_is_ok_and_reads_that_its_own_work_keeps_it_busy() {
    let minute = Stretch { run: 119.0, delay: 0.5, busy: Some(121.0), ..QUIET };
    assert_eq!(
        minute.verdict(),
        "ok: your own work kept your vCPUs busy 99% of the \
         last 60 s"
    );
}

#[test]
fn an_idle_guest_is_ok_however_busy_the_host() {
    let minute = Stretch { run: 0.5, delay: 0.4, busy: Some(240.0), ..QUIET };
    assert_eq!(
        minute.verdict(),
        "ok: your vCPUs ran 0% of the last 60 s and waited \
         1%"
    );
}

#[test]
fn vcpus_with_nothing_to_do_do_not_hide_that_one_waits() {
    let minute = Stretch { vcpus: 8, run: 30.0, delay: 30.0, busy: Some(240.0), ..QUIET };
    assert!(minute.verdict().starts_with("contended: your vCPUs waited 50% of the last 60 s"));
}

#[test]
fn a_vcpu_with_little_to_do_does_not_hide_that_a_busy_one_waits() {
    // 8 % of the busy vCPU's time, and 4 % of both.
    let minute = Stretch { run: 58.2, delay: 4.8, busy: Some(240.0), ..QUIET };
    assert!(minute.verdict().starts_with("contended: your vCPUs waited 8% of the last 60 s"));
}

#[test]
fn what_no_sample_has_is_never_measured_and_what_one_has_is_soon_known() {
    let none = Sample::default();
    let untold = "unknown: this host does not measure how long your vCPUs ran and waited";
    let seconds = Duration::from_secs;
    for samples in [vec![], vec![(seconds(0), &none), (seconds(60), &none)]] {
        assert_eq!(cpu(&Interval::new(samples), &|_, _| true).to_string(), untold);
    }
    let known = samples(&[QUIET]);
    let [before, after] = [&known[0], &known[1]];
    for samples in [
        vec![(seconds(0), &none), (seconds(5), before)],
        vec![(seconds(0), before), (seconds(5), &none)],
        vec![(seconds(0), after), (seconds(60), before)],
    ] {
        let interval = Interval::new(samples).with_next(seconds(5));
        assert_eq!(cpu(&interval, &|_, _| true).to_string(), "unknown: ask again in 5 s");
    }
}

#[test]
fn a_sample_without_figures_is_left_out() {
    let known = samples(&[QUIET, QUIET]);
    let (none, seconds) = (Sample::default(), Duration::from_secs);
    let judged = |samples| cpu(&Interval::new(samples), &|_, _| true).to_string();
    let told = "ok: your vCPUs ran";
    let between = vec![(seconds(0), &known[0]), (seconds(60), &none), (seconds(120), &known[2])];
    assert_eq!(judged(between), format!("{told} 1% of the last 120 s and waited 0%"));
    let first = vec![(seconds(0), &none), (seconds(60), &known[1]), (seconds(120), &known[2])];
    assert_eq!(judged(first), format!("{told} 1% of the last 60 s and waited 0%"));
}
