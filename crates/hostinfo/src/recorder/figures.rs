//! The figures of a sample, from both views. Pure.

use std::time::Duration;

use crate::recording::{Field, Sample};
use crate::views::hosts::HostView;
use crate::views::own::View;

const KIB: f64 = 1024.0;
const MIB: f64 = 1024.0 * KIB;

/// Adds what the host counts. `elapsed`: the seconds since its previous reply.
pub(super) fn add_host(sample: &mut Sample, host_view: &HostView, elapsed: Option<f64>) {
    let figures = host_view.figures();
    let number = |name: &str| host_view.last.number(name);
    sample.set(Field::Waited, share(figures.waited));
    let throttled = figures.throttled.zip(elapsed.filter(|elapsed| *elapsed > 0.0));
    sample.set(Field::Throttled, share(throttled.map(|(held, elapsed)| held / elapsed)));
    sample.set(Field::Ran, share(figures.ran));
    sample.set(Field::Load, number("loadavg.1").map(|load| load * 10.0));
    sample.set(Field::HostCpu, share(number("pressure.cpu.some.avg60")));
    sample.set(Field::HostMemory, share(number("pressure.memory.some.avg60")));
    sample.set(Field::HostIo, share(number("pressure.io.some.avg60")));
    sample.set(Field::HostLatency, micros(figures.latencies.values().max()));
    sample.set(Field::Swapped, figures.swapped.map(|bytes| bytes / MIB));
    sample.set(Field::Taken, figures.taken.map(|bytes| bytes / MIB));
}

/// Adds what this guest's own kernel counts.
pub(super) fn add_own(sample: &mut Sample, view: &View) {
    let [cpu, memory, io] = view.pressure;
    let latencies = view.disks.values().filter_map(|disk| disk.latency.as_ref());
    sample.set(Field::Steal, share(view.steal));
    sample.set(Field::Busy, share(view.busy));
    sample.set(Field::Running, view.running.map(|running| running * 10.0));
    sample.set(Field::Cpu, share(cpu));
    sample.set(Field::Memory, share(memory));
    sample.set(Field::Io, share(io));
    sample.set(Field::Latency, micros(latencies.max()));
    sample.set(Field::Available, view.available().map(|bytes| bytes / MIB));
    sample.set(Field::Swapping, view.swapped.map(|rate| rate / KIB));
}

/// In thousandths.
fn share(share: Option<f64>) -> Option<f64> {
    share.map(|share| share * 1000.0)
}

fn micros(time: Option<&Duration>) -> Option<f64> {
    time.map(|time| time.as_secs_f64() * 1e6)
}
