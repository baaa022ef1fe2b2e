//! What a guest with many vCPUs costs: as much for each of them as a small one, and no other guest its turn.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::guests::{Guests, Listening};
use crate::machine::Cpus;
use crate::plan::{Plan, SETTLED};
use crate::report::{Row, Target};
use crate::server::{Server, sockets};
use crate::vmms::{Threads, Vmms};

/// vCPUs of the guests whose queries are compared.
const FEW: u16 = 64;
const MANY: u16 = 1024;

/// As many as KVM runs.
const MOST: u16 = 4096;

/// Times that each of them asks, each in another step of the samples' grid.
const ROUNDS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(150);

/// Times that a small guest is answered while the largest asks without end.
const PINGS: usize = 1000;

/// How much more a vCPU may cost where there are many.
const LINEAR: Target = Target::AtMost(1.5);

/// What the small guest may wait for, in milliseconds: 99 of 100 times.
const TURN: Target = Target::AtMost(5.0);

/// Measures all of it.
pub(crate) fn run(plan: &Plan, dir: &Path, cpus: &Cpus) -> anyhow::Result<Vec<Row>> {
    let few = of_one_vcpu(plan, &dir.join("few"), cpus, FEW)?;
    let many = of_one_vcpu(plan, &dir.join("many"), cpus, MANY)?;
    let what = |vcpus: u16| format!("1 guest with {vcpus} vCPUs asks `json *`: CPU time a vCPU");
    Ok(vec![
        Row::alone(what(FEW), "µs", few, Target::None),
        Row::alone(what(MANY), "µs", many, Target::None),
        Row::alone("the same, the second to the first", "to 1", many / few, LINEAR),
        others_turns(plan, &dir.join("most"), cpus)?,
    ])
}

/// Guests with so many vCPUs each, and the daemon that they ask.
fn start(
    plan: &Plan,
    dir: &Path,
    cpus: &Cpus,
    vcpus: &[u16],
) -> anyhow::Result<(Vmms, Server, Guests)> {
    let threads: Vec<_> = vcpus.iter().map(|vcpus| Threads { vcpus: *vcpus, others: 1 }).collect();
    let (vmms, listeners) = Vmms::start(&sockets(dir)?, &threads)?;
    let server = Server::daemon(&plan.daemon, dir, "", cpus)?;
    let guests = Listening::of(listeners).accept().with_context(|| server.log())?;
    sleep(SETTLED);
    Ok((vmms, server, guests))
}

/// The CPU time of a query for everything, for each of the guest's vCPUs, in microseconds.
fn of_one_vcpu(plan: &Plan, dir: &Path, cpus: &Cpus, vcpus: u16) -> anyhow::Result<f64> {
    let (_vmms, server, mut guests) = start(plan, dir, cpus, &[vcpus])?;
    // Fails unless the daemon has found the last vCPU: without it, less would be measured.
    guests.ask(format!("vm.cpu.{}.delay\n", vcpus - 1).as_bytes())?;
    let before = server.process().cpu_time()?;
    for _ in 0..ROUNDS {
        sleep(PAUSE);
        guests.each_asks(1, b"json *\n")?;
    }
    let busy = (server.process().cpu_time()? - before).as_secs_f64();
    Ok(busy * 1e6 / f64::from(ROUNDS) / f64::from(vcpus))
}

/// How long a small guest waits for its turns while the largest asks again as soon as it is answered.
fn others_turns(plan: &Plan, dir: &Path, cpus: &Cpus) -> anyhow::Result<Row> {
    let (_vmms, server, guests) = start(plan, dir, cpus, &[MOST, 1])?;
    let [mut large, mut small] = guests.into_two().context("two guests")?;
    large.ask(b"vm.vcpus\n")?;
    let mut times = Vec::new();
    std::thread::scope(|scope| -> anyhow::Result<()> {
        let asking = scope.spawn(move || {
            let mut answers = 0;
            while large.ask(b"json vm.cpu.delay vm.cpu.pinned\n").is_ok() {
                answers += 1;
            }
            answers
        });
        for _ in 0..PINGS {
            let asked = Instant::now();
            small.ask(b"ping\n")?;
            times.push(asked.elapsed().as_secs_f64() * 1e3);
            sleep(Duration::from_millis(2));
        }
        drop(server);
        let answers = asking.join().map_err(|_| anyhow::anyhow!("the large guest"))?;
        anyhow::ensure!(answers > 0, "the large guest was never answered");
        Ok(())
    })?;
    times.sort_unstable_by(f64::total_cmp);
    let tail = times.get(times.len() * 99 / 100).copied().context("no answer")?;
    let what =
        format!("1 guest pings while another with {MOST} vCPUs asks on and on: 99th percentile");
    Ok(Row::alone(what, "ms", tail, TURN))
}
