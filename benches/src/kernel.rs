//! How long this machine's kernel takes for the system calls of which queries about a guest's VMM mostly consist. Where
//! they are slow, so is the daemon, whatever it does itself.

use std::fs::{File, read_dir};
use std::hint::black_box;
use std::thread::sleep;
use std::time::Duration;

use anyhow::Context as _;
use rustix::io::{Errno, pread};
use rustix::process::{Pid, getppid};
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

/// How long those take that `vm` cannot do without for one of these VMMs, in a loop that does nothing else. Like the
/// bench's guests, it begins anew only after each `pause`, when other programs have used the caches near a CPU.
pub(crate) fn of_vmms(
    pids: impl Iterator<Item = u32>,
    vcpus: u16,
    rounds: u32,
    pause: Duration,
) -> anyhow::Result<Row> {
    let vmms = pids.map(|pid| Vmm::open(pid, vcpus)).collect::<anyhow::Result<Vec<_>>>()?;
    let mut times = Vec::new();
    for _ in 0..rounds {
        sleep(pause);
        let before = own_time();
        for vmm in &vmms {
            vmm.look()?;
        }
        times.push((own_time() - before) * 1e6 / vmms.len() as f64);
    }
    let what = "this machine's CPUs: what `vm` has to read, in a loop: CPU time a guest";
    Ok(Row::median(what, "µs", times, Target::None))
}

/// The files of a VMM that tell of its guest, and its vCPUs.
struct Vmm {
    files: Vec<File>,
    vcpus: Vec<Pid>,
}

impl Vmm {
    fn open(pid: u32, vcpus: u16) -> anyhow::Result<Self> {
        let folder = format!("/proc/{pid}");
        let mut threads = Vec::new();
        for entry in read_dir(format!("{folder}/task"))? {
            let name = entry?.file_name();
            threads.push(name.to_str().and_then(|tid| tid.parse().ok()).context("a thread")?);
        }
        // Its list of cgroups is read before and after all else.
        let names = ["cgroup", "status", "stat"].map(str::to_owned).into_iter();
        let names = names.chain(threads.iter().map(|tid: &i32| format!("task/{tid}/schedstat")));
        let names = names.chain(["cgroup".to_owned()]);
        let files = names.map(|name| File::open(format!("{folder}/{name}")));
        let vcpus = threads.iter().skip(1).take(vcpus.into()).filter_map(|tid| Pid::from_raw(*tid));
        Ok(Self { files: files.collect::<Result<_, _>>()?, vcpus: vcpus.collect() })
    }

    fn look(&self) -> Result<(), Errno> {
        let mut text = [0; 4096];
        for file in &self.files {
            black_box(pread(file, &mut text, 0)?);
        }
        for vcpu in &self.vcpus {
            black_box(sched_getaffinity(Some(*vcpu))?);
        }
        Ok(())
    }
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
