//! What it costs when guests ask about themselves. Each of them has a VMM of its own, whose files are read for it alone;
//! the host's are read once for all that ask at the same time.

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use anyhow::Context as _;

use crate::guests::{Guests, Listening};
use crate::kernel;
use crate::large_host;
use crate::machine::Cpus;
use crate::plan::{Plan, SETTLED};
use crate::report::{Row, Target};
use crate::server::{Server, sockets};
use crate::vmms::{Threads, Vmms};

/// Guests on a host.
pub(crate) const GUESTS: u16 = 100;

/// Times that they ask.
const ROUNDS: u32 = 20;
/// All of them ask at once, and only when the samples of the time before (`SAMPLE_GRID`) are too old.
pub(crate) const PAUSE: Duration = Duration::from_millis(150);

/// Times that they ask before anything is measured: in the first second that a thread is seen, it may still get its
/// name, which is then read as well.
const WARM_UP: u32 = 10;

/// The most CPU time, in microseconds, of a query for a guest's own figures and of one for everything, where all ask
/// at once; and of one for everything by a guest that asks alone, for which all files of the host are read.
const OF_GUEST: Target = Target::AtMost(120.0);
const OF_ALL: Target = Target::AtMost(150.0);
const ALONE: Target = Target::AtMost(2000.0);

/// Measures all of it.
pub(crate) fn run(plan: &Plan, dir: &Path, cpus: &Cpus) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for is_large in [false, true] {
        let dir = dir.join(if is_large { "large" } else { "own" });
        let (vmms, listeners) = Vmms::start(&sockets(&dir)?, &[Threads::USUAL; GUESTS as usize])?;
        let (host, paths) = if is_large {
            large_host::make(&dir.join("host"), vmms.pids())?;
            let root = |name: &str| dir.join("host").join(name).display().to_string();
            let paths =
                format!("[paths]\nproc_root = '{}'\nsys_root = '{}'\n", root("proc"), root("sys"));
            ("256 CPUs", paths)
        } else {
            ("this machine's CPUs", String::new())
        };
        let server = Server::daemon(&plan.daemon, &dir, &paths, cpus)?;
        if is_large {
            large_host::name_daemon(&dir.join("host"), server.process().0)?;
        }
        let listening = Listening::of(listeners);
        let mut guests = listening.accept().with_context(|| server.log())?;
        sleep(SETTLED);
        rows.extend(on_host(host, &server, &mut guests)?);
        if !is_large {
            rows.push(kernel::of_vmms(vmms.pids(), Threads::USUAL.vcpus, ROUNDS, PAUSE)?);
        }
    }
    Ok(rows)
}

fn on_host(host: &str, server: &Server, guests: &mut Guests) -> anyhow::Result<Vec<Row>> {
    // Fails unless the daemon has found the guest's VMM, whose files are what is measured.
    guests.ask(b"vm.cpu.delay\n")?;
    for _ in 0..WARM_UP {
        guests.each_asks(GUESTS, b"vm\n")?;
        sleep(PAUSE);
    }
    // Opens the host's files, which then stay open.
    guests.each_asks(1, b"*\n")?;
    sleep(PAUSE);
    let mut rows = Vec::new();
    for (count, who, query, target) in [
        (GUESTS, "100 guests with VMMs ask", "loadavg", Target::None),
        (GUESTS, "100 guests with VMMs ask", "vm", OF_GUEST),
        // Before all of them do: whoever asks for verdicts is watched for a while, which would be measured as well.
        (1, "1 of them asks", "*", ALONE),
        (GUESTS, "100 guests with VMMs ask", "*", OF_ALL),
    ] {
        let line = format!("{query}\n");
        let process = server.process();
        let a_query = |time: Duration| time.as_secs_f64() * 1e6 / f64::from(count);
        let (mut rounds, kernels) = (Vec::new(), process.kernel_time()?);
        for _ in 0..ROUNDS {
            let before = process.cpu_time()?;
            guests.each_asks(count, line.as_bytes())?;
            sleep(PAUSE);
            rounds.push(a_query(process.cpu_time()? - before));
        }
        // In ticks, which are longer than a round.
        let kernels = a_query(process.kernel_time()?.saturating_sub(kernels)) / f64::from(ROUNDS);
        let what = format!("{host}: {who} `{query}`: CPU time a query");
        rows.push(Row::median(what, "µs", rounds, target));
        rows.push(Row::alone("the same, the kernel's part", "µs", kernels, Target::None));
    }
    Ok(rows)
}
