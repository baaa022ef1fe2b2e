//! Figures of both views, in words.

use std::time::Duration;

use crate::diagnose::conclude::{BUSY, LOOK_LEAST, percent};
use crate::diagnose::sentences::cpus;
use crate::units;
use crate::views::dated::PRESENT;
use crate::views::hosts::Figures;
use crate::views::own::View;

/// What the host measured in that `time`, besides its verdict. Its newest answer has that `age`.
pub(crate) fn measured(
    resource: &str,
    figures: &Figures,
    time: Duration,
    age: Option<Duration>,
) -> Vec<String> {
    let is_old = age.is_some_and(|age| age > PRESENT);
    let mut parts = Vec::new();
    let bytes = |bytes: f64| units::human(&format!("{bytes:.0}"), "gauge", "bytes");
    match resource {
        "cpu" => {
            let in_words = |time: Duration| match time.as_secs_f64() {
                seconds @ 1.0.. => format!("{seconds:.0} s"),
                _ => units::duration(time),
            };
            // A broker may have asked the host at other times.
            let is_other = |over: &Duration| is_old || over.abs_diff(time) > PRESENT;
            let these = match figures.over.filter(is_other) {
                Some(over) => format!("over {}", in_words(over)),
                None => format!("in these {}", in_words(time)),
            };
            parts.push(match figures.waited.zip(figures.wanted) {
                Some((share, wanted)) => {
                    let (share, wanted) = (percent(share), of_seconds(wanted));
                    format!("{these}, vCPUs wanted to run for {wanted} and waited {share} of that")
                }
                None => format!("how long vCPUs waited {these} is unknown"),
            });
            let held = figures.throttled.filter(|seconds| *seconds > 0.0);
            parts.extend(held.map(|seconds| format!("a limit held them back for {seconds:.1} s")));
            parts
                .extend(figures.quota.map(|quota| format!("they may use at most {}", cpus(quota))));
        }
        "memory" => {
            let some = |figure: Option<f64>| figure.filter(|bytes| *bytes > 0.0);
            parts.extend(some(figures.swapped).map(|b| format!("{} swapped out", bytes(b))));
            parts.extend(some(figures.taken).map(|b| format!("{} taken by the balloon", bytes(b))));
        }
        "io" => parts.extend(
            figures
                .latencies
                .iter()
                .map(|(disk, time)| format!("{disk} {} each", units::duration(*time))),
        ),
        _ => {}
    }
    parts
}

/// In seconds, as what stands beside it: `61 s`, `30.2 s`.
fn of_seconds(seconds: f64) -> String {
    if seconds >= 60.0 {
        return format!("{seconds:.0} s");
    }
    units::human(&seconds.to_string(), "counter", "seconds")
}

/// What the guest saw of itself, and how much CPU time it `got` by the host's count.
pub(crate) fn seen(resource: &str, view: &View, got: Option<f64>) -> Vec<String> {
    let [cpu, memory, io] = view.pressure;
    let waited = |share| format!("tasks waited {} of the time", percent(share));
    let mut parts = Vec::new();
    match resource {
        "cpu" => {
            parts.extend(view.steal.map(|steal| format!("{} stolen", percent(steal))));
            if view.is_steal_uncounted {
                parts.push("stolen time: not counted by this kernel".to_owned());
            }
            if view.busy.is_some() && view.time < LOOK_LEAST {
                let least = units::duration(LOOK_LEAST);
                parts.push(format!("too short to tell how busy it was: look for {least} or more"));
                return parts;
            }
            parts.extend(busy(view, got));
            if let (Some(running), Some(cpus)) = (view.running, view.cpus) {
                parts.push(format!("{running:.1} tasks wanted {}", units::counted(cpus, "CPU")));
            }
            parts.extend(cpu.map(waited));
        }
        "memory" => {
            if let Some(memory) = view.memory {
                let bytes = |bytes: u64| units::human(&bytes.to_string(), "gauge", "bytes");
                let (available, total) = (bytes(memory.available), bytes(memory.total));
                parts.push(format!("{available} of {total} available"));
            }
            parts.extend(view.swapped.map(|rate| match rate {
                rate if rate > 0.0 => {
                    let rate = units::human(&format!("{rate:.0}"), "gauge", "bytes");
                    format!("swaps {rate} a second")
                }
                _ => "does not swap".to_owned(),
            }));
            parts.extend(memory.map(waited));
        }
        "io" => {
            for (name, disk) in &view.disks {
                parts.push(match disk.latency {
                    Some(latency) => {
                        format!(
                            "{name} {} each, {:.1} a second",
                            units::duration(latency),
                            disk.rate
                        )
                    }
                    None => format!("{name} was not used"),
                });
            }
            parts.extend(io.map(waited));
        }
        "net" => {
            for (name, (packets, drops)) in &view.drops {
                parts.push(format!("{name} dropped {drops} of {packets} packets"));
            }
        }
        _ => {}
    }
    parts
}

/// How busy its CPUs were; if they had no time left, what it got instead.
fn busy(view: &View, got: Option<f64>) -> Option<String> {
    let busy = view.busy?;
    match view.cpus.filter(|_| busy >= BUSY) {
        Some(cpus) => {
            let them = if cpus == 1 { "it" } else { "them" };
            let got = got.map_or_else(String::new, |got| format!(", and got {got:.2} of {them}"));
            Some(format!("wants all of its {}{got}", units::counted(cpus, "CPU")))
        }
        None => Some(format!("{} busy", percent(busy))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::own::DiskView;
    use crate::views::parse::Memory;
    use std::time::Duration;

    #[test]
    fn figures_that_are_not_known_are_left_out() {
        for resource in crate::verdict::RESOURCES {
            assert!(seen(resource, &View::default(), None).is_empty(), "{resource}");
            let measured = measured(resource, &Figures::default(), Duration::ZERO, None);
            assert_eq!(measured.is_empty(), resource != "cpu", "{measured:?}");
        }
        let told = measured("cpu", &Figures::default(), Duration::from_secs(7), None);
        assert_eq!(told, ["how long vCPUs waited in these 7 s is unknown"]);
    }

    #[test]
    fn a_guest_sees_what_it_lost_and_what_it_has() {
        let idle = DiskView { rate: 0.0, latency: None };
        let busy = DiskView { rate: 35.0, latency: Some(Duration::from_micros(1200)) };
        let view = View {
            time: LOOK_LEAST,
            is_steal_uncounted: false,
            cpus: Some(2),
            running: Some(2.14),
            steal: Some(0.31),
            busy: Some(0.8),
            pressure: [Some(0.4), None, Some(0.0)],
            memory: Some(Memory { total: 2 << 30, available: 1 << 30 }),
            swapped: Some(0.0),
            disks: [("vda".to_owned(), busy), ("vdb".to_owned(), idle)].into(),
            drops: [("eth0".to_owned(), (100, 3))].into(),
        };
        let seen_of = |resource| seen(resource, &view, Some(1.0)).join("; ");
        assert_eq!(
            seen_of("cpu"),
            "31% stolen; 80% busy; 2.1 tasks wanted 2 CPUs; tasks waited 40% of the time"
        );
        assert_eq!(seen_of("memory"), "1 GiB of 2 GiB available; does not swap");
        assert_eq!(
            seen_of("io"),
            "vda 1.2 ms each, 35.0 a second; vdb was not used; tasks waited 0% of the time"
        );
        assert_eq!(seen_of("net"), "eth0 dropped 3 of 100 packets");
    }

    #[test]
    fn a_guest_that_wants_all_of_its_cpus_is_told_what_it_got() {
        let view = View { time: LOOK_LEAST, cpus: Some(1), busy: Some(1.0), ..View::default() };
        let told = |view: &View, got| seen("cpu", view, got).join("; ");
        assert_eq!(told(&view, Some(0.239)), "wants all of its 1 CPU, and got 0.24 of it");
        let two = View { cpus: Some(2), ..view.clone() };
        assert_eq!(told(&two, Some(1.5)), "wants all of its 2 CPUs, and got 1.50 of them");
        assert_eq!(told(&two, None), "wants all of its 2 CPUs");
        let uncounted = View { is_steal_uncounted: true, busy: None, ..view.clone() };
        assert_eq!(told(&uncounted, None), "stolen time: not counted by this kernel");
        let short = View { time: LOOK_LEAST / 2, steal: Some(0.0), ..view };
        let shown = "0% stolen; too short to tell how busy it was: look for 10 s or more";
        assert_eq!(told(&short, Some(0.2)), shown, "this program itself was busy");
    }

    #[test]
    fn a_host_measures_what_its_verdict_does_not_say() {
        let figures = Figures {
            over: Some(Duration::from_millis(60_300)),
            contention: None,
            got: Some(0.2),
            ran: Some(0.2),
            quota: Some(0.25),
            wanted: Some(30.2),
            waited: Some(0.34),
            throttled: Some(1.5),
            swapped: Some(0.0),
            taken: Some(1_610_612_736.0),
            latencies: [("vda".to_owned(), Duration::from_millis(2))].into(),
        };
        let measured_of =
            |resource| measured(resource, &figures, Duration::from_secs(60), None).join("; ");
        assert_eq!(
            measured_of("cpu"),
            "in these 60 s, vCPUs wanted to run for 30.2 s and waited 34% of that; \
             a limit held them back for 1.5 s; they may use at most 0.25 CPUs"
        );
        assert_eq!(
            (measured_of("memory"), measured_of("io")),
            ("1.5 GiB taken by the balloon".into(), "vda 2 ms each".into())
        );
        let age = Some(Duration::from_secs(44));
        let old = measured("cpu", &figures, Duration::from_secs(60), age).join("; ");
        assert!(old.starts_with("over 60 s, vCPUs wanted to run for "), "{old}");
        let short = measured("cpu", &Figures::default(), Duration::from_millis(1080), None);
        assert_eq!(short, ["how long vCPUs waited in these 1 s is unknown"]);
        let busy =
            Figures { over: Some(Duration::from_secs(61)), wanted: Some(61.2), ..figures.clone() };
        let busy = measured("cpu", &busy, Duration::from_secs(10), None).join("; ");
        assert!(busy.starts_with("over 61 s, vCPUs wanted to run for 61 s and "), "{busy}");
        let longer = Figures { over: Some(Duration::from_secs(85)), ..figures };
        let told = measured("cpu", &longer, Duration::from_secs(60), None).join("; ");
        assert!(told.starts_with("over 85 s, vCPUs wanted to run for 30.2 s and "), "{told}");
    }
}
