//! Figures of both views, in words.

use crate::diagnose::conclude::percent;
use crate::units;
use crate::views::own::View;
use crate::views::told::Figures;

/// What the host measured, besides its verdict.
pub(crate) fn measured(resource: &str, figures: &Figures) -> Vec<String> {
    let mut parts = Vec::new();
    let bytes = |bytes: f64| units::human(&format!("{bytes:.0}"), "gauge", "bytes");
    match resource {
        "cpu" => {
            let waited = |share| format!("vCPUs waited {} of the time", percent(share));
            parts.extend(figures.waited.map(waited));
            let held = figures.throttled.filter(|seconds| *seconds > 0.0);
            parts.extend(held.map(|seconds| format!("a limit held them back for {seconds:.1} s")));
        }
        "memory" => {
            let some = |figure: Option<f64>| figure.filter(|bytes| *bytes > 0.0);
            parts.extend(some(figures.swapped).map(|b| format!("{} swapped out", bytes(b))));
            parts.extend(some(figures.taken).map(|b| format!("{} taken back", bytes(b))));
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

/// What the guest saw of itself.
pub(crate) fn seen(resource: &str, view: &View) -> Vec<String> {
    let [cpu, memory, io] = view.pressure;
    let waited = |share| format!("tasks waited {} of the time", percent(share));
    let mut parts = Vec::new();
    match resource {
        "cpu" => {
            parts.extend(view.steal.map(|steal| format!("{} stolen", percent(steal))));
            parts.extend(view.busy.map(|busy| format!("{} busy", percent(busy))));
            if let (Some(running), Some(cpus)) = (view.running, view.cpus) {
                let cpus = if cpus == 1 { "1 CPU".to_owned() } else { format!("{cpus} CPUs") };
                parts.push(format!("{running:.1} tasks wanted {cpus}"));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::own::DiskView;
    use crate::views::parse::Memory;
    use std::time::Duration;

    #[test]
    fn what_is_not_known_is_left_out() {
        for resource in crate::verdict::RESOURCES {
            assert!(seen(resource, &View::default()).is_empty(), "{resource}");
            assert!(measured(resource, &Figures::default()).is_empty(), "{resource}");
        }
    }

    #[test]
    fn a_guest_sees_what_it_lost_and_what_it_has() {
        let idle = DiskView { rate: 0.0, latency: None };
        let busy = DiskView { rate: 35.0, latency: Some(Duration::from_micros(1200)) };
        let view = View {
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
        let told = |resource| seen(resource, &view).join("; ");
        assert_eq!(
            told("cpu"),
            "31% stolen; 80% busy; 2.1 tasks wanted 2 CPUs; tasks waited 40% of the time"
        );
        assert_eq!(told("memory"), "1 GiB of 2 GiB available; does not swap");
        assert_eq!(
            told("io"),
            "vda 1.2 ms each, 35.0 a second; vdb was not used; tasks waited 0% of the time"
        );
        assert_eq!(told("net"), "eth0 dropped 3 of 100 packets");
    }

    #[test]
    fn a_host_measures_what_its_verdict_does_not_say() {
        let figures = Figures {
            waited: Some(0.34),
            throttled: Some(1.5),
            swapped: Some(0.0),
            taken: Some(1_610_612_736.0),
            latencies: [("vda".to_owned(), Duration::from_millis(2))].into(),
        };
        let told = |resource| measured(resource, &figures).join("; ");
        assert_eq!(told("cpu"), "vCPUs waited 34% of the time; a limit held them back for 1.5 s");
        assert_eq!(
            (told("memory"), told("io")),
            ("1.5 GiB taken back".into(), "vda 2 ms each".into())
        );
    }
}
