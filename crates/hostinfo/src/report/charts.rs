//! Which figures of both views are drawn, and which share a chart.

use crate::recording::Field;
use crate::report::chart::{Chart, Series, View, Worst};

/// All charts, the most telling first.
pub(crate) fn charts() -> Vec<Chart> {
    let line = |field, view, name| Series { field, name, view, worst: Worst::Greatest };
    let host = |field, name| line(field, View::Host, name);
    let host_too = |field, name| line(field, View::HostToo, name);
    let guest = |field, name| line(field, View::Guest, name);
    let percent = |title, series| Chart { title, scale: 0.1, unit: "%", series };
    vec![
        percent(
            "CPU time that was lost",
            vec![
                host(Field::Waited, "host: vCPUs waited"),
                host_too(Field::Throttled, "host: held back by a limit"),
                guest(Field::Steal, "guest: stolen"),
            ],
        ),
        percent(
            "CPU time that was used",
            vec![host(Field::Ran, "host: vCPUs ran"), guest(Field::Busy, "guest: busy")],
        ),
        percent(
            "Time in which something waited for a CPU",
            vec![host(Field::HostCpu, "on the host"), guest(Field::Cpu, "in the guest")],
        ),
        percent(
            "Time in which something waited for memory",
            vec![host(Field::HostMemory, "on the host"), guest(Field::Memory, "in the guest")],
        ),
        percent(
            "Time in which something waited for disks",
            vec![host(Field::HostIo, "on the host"), guest(Field::Io, "in the guest")],
        ),
        Chart {
            title: "Mean time of an operation on the slowest disk",
            scale: 0.001,
            unit: " ms",
            series: vec![
                host(Field::HostLatency, "as the host sees it"),
                guest(Field::Latency, "as the guest sees it"),
            ],
        },
        Chart {
            title: "Memory",
            scale: 1.0,
            unit: " MiB",
            series: vec![
                host(Field::Swapped, "host: swapped out"),
                host_too(Field::Taken, "host: taken by the balloon"),
                Series { worst: Worst::Least, ..guest(Field::Available, "guest: available") },
            ],
        },
        Chart {
            title: "Swapping in the guest",
            scale: 1.0,
            unit: " KiB/s",
            series: vec![guest(Field::Swapping, "guest: in and out")],
        },
        Chart {
            title: "Load",
            scale: 0.1,
            unit: "",
            series: vec![
                host(Field::Load, "host: load average over a minute"),
                guest(Field::Running, "guest: tasks that run or want to"),
            ],
        },
    ]
}
