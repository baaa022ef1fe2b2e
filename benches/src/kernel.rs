//! How long this machine's kernel takes for the system calls of which queries about a guest's VMM mostly consist. Where
//! they are slow, so is the daemon, whatever it does itself.

use std::fs::File;
use std::hint::black_box;

use rustix::io::{Errno, pread};
use rustix::process::getppid;
use rustix::thread::sched_getaffinity;
use rustix::time::{ClockId, clock_gettime};

use crate::report::{Row, Target};

/// Calls of each kind.
const CALLS: u32 = 100_000;

/// Measures them. A file of `/proc` stays open, as it does in the daemon.
pub(crate) fn run() -> anyhow::Result<Vec<Row>> {
    let times = File::open("/proc/thread-self/schedstat")?;
    let mut text = [0; 64];
    Ok(vec![
        row("that does nothing (`getppid`)", || Ok(getppid()))?,
        row("that reads a thread's times (`pread`)", || pread(&times, &mut text, 0))?,
        row("that asks for a thread's CPUs (`sched_getaffinity`)", || sched_getaffinity(None))?,
    ])
}

fn row<T>(what: &str, mut call: impl FnMut() -> Result<T, Errno>) -> anyhow::Result<Row> {
    let before = own_time();
    for _ in 0..CALLS {
        black_box(call()?);
    }
    let micros = (own_time() - before) * 1e6 / f64::from(CALLS);
    Ok(Row::alone(format!("this machine: a system call {what}"), "µs", micros, Target::None))
}

/// CPU time of this thread, in seconds.
fn own_time() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
