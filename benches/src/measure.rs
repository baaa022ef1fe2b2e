//! The measurements, part by part.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::confinement;
use crate::crowd;
use crate::everything;
use crate::flood;
use crate::guests::{Guests, Listening};
use crate::instructions;
use crate::kernel;
use crate::lines;
use crate::machine::Cpus;
use crate::many_vcpus;
use crate::plan::{Part, Plan, SETTLED};
use crate::report::{Row, Target};
use crate::server::{Server, sockets};
use crate::vhostmd;

pub(crate) const QUERY: &[u8] = b"loadavg\n";

/// Times that a daemon is started where that is measured.
pub(crate) const STARTS: usize = 5;

/// A server and its guests.
pub(crate) struct Side {
    pub(crate) server: Server,
    pub(crate) guests: Guests,
}

/// Measures one part, or all that have targets.
pub(crate) fn run(plan: &Plan, only: Option<Part>) -> anyhow::Result<Vec<Row>> {
    let dir = tempfile::tempdir()?;
    let cpus = Cpus::find()?;
    cpus.pin_guests()?;
    let parts = only.as_ref().map_or(&Part::WITH_TARGETS[..], std::slice::from_ref);
    let mut rows = Vec::new();
    for part in parts {
        rows.extend(match part {
            Part::Thousand => a_thousand(plan, dir.path(), &cpus)?,
            Part::Flood => vec![flood::run(plan, &dir.path().join("flood"), &cpus)?],
            Part::Crowd => crowd::run(plan, &dir.path().join("crowd"), &cpus)?,
            Part::Vmms => everything::run(plan, dir.path(), &cpus)?,
            Part::Vcpus => many_vcpus::run(plan, dir.path(), &cpus)?,
            Part::Confinement => confinement::run(plan, dir.path(), &cpus)?,
            Part::Instructions => instructions::run(plan, &cpus)?,
        });
    }
    Ok(rows)
}

fn a_thousand(plan: &Plan, dir: &Path, cpus: &Cpus) -> anyhow::Result<Vec<Row>> {
    let server = Server::daemon(&plan.daemon, &dir.join("daemon"), "", cpus)?;
    sleep(SETTLED);
    let empty = server.process().memory().with_context(|| server.log())?;
    let listening = Listening::new(&sockets(&dir.join("daemon"))?, plan.guests)?;
    let guests = listening.accept().with_context(|| server.log())?;
    let mut daemon = Side { server, guests };
    let mut rows = idle(plan, &mut daemon, empty)?;
    rows.extend(kernel::run()?);

    let answer = daemon.guests.ask(QUERY)?;
    let mut echo = start_echo(plan.guests, &dir.join("echo"), &answer, cpus)?;
    rows.extend(round_trips(plan, &mut daemon, &mut echo)?);
    rows.extend(throughput(plan, &mut daemon, &mut echo)?);
    drop(echo);
    rows.push(lines::run(plan, &dir.join("echo-lines"), cpus, &mut daemon)?);
    rows.extend(cpu_times(plan, &mut daemon)?);
    rows.extend(vhostmd::run(plan, &daemon.server, &mut daemon.guests)?);
    Ok(rows)
}

/// A daemon whose guests are all connected, and how long that took.
pub(crate) fn start_daemon(
    plan: &Plan,
    dir: &Path,
    settings: &str,
    cpus: &Cpus,
    count: u16,
) -> anyhow::Result<(Side, Duration)> {
    let listening = Listening::new(&sockets(dir)?, count)?;
    let start = Instant::now();
    let server = Server::daemon(&plan.daemon, dir, settings, cpus)?;
    let guests = listening.accept().with_context(|| server.log())?;
    let time = start.elapsed();
    Ok((Side { server, guests }, time))
}

/// An echo server with as many guests.
pub(crate) fn start_echo(
    count: u16,
    dir: &Path,
    answer: &str,
    cpus: &Cpus,
) -> anyhow::Result<Side> {
    let socket = sockets(dir)?.join("all");
    let listening = Listening::at_one(&socket, count)?;
    let server = Server::echo(dir, &socket, count, answer, cpus)?;
    let guests = listening.accept().with_context(|| server.log())?;
    Ok(Side { server, guests })
}

/// Guests that are connected, have asked everything once, and ask no more.
fn idle(plan: &Plan, daemon: &mut Side, empty: u64) -> anyhow::Result<Vec<Row>> {
    let process = daemon.server.process();
    daemon.guests.all_ask(b"*\n", Duration::ZERO)?;
    sleep(SETTLED);
    let wakeups = process.wakeups_in(plan.idle)?;
    let memory = process.memory()?.saturating_sub(empty);
    let guests = plan.guests;
    Ok(vec![
        Row::alone(
            format!("{guests} idle guests, in {} s", plan.idle.as_secs()),
            "wake-ups",
            wakeups as f64,
            Target::AtMost(0.0),
        ),
        Row::alone(
            format!("{guests} idle guests that asked `*` once: memory"),
            "KiB a guest",
            memory as f64 / 1024.0 / f64::from(guests),
            Target::AtMost(8.0),
        ),
    ])
}

fn round_trips(plan: &Plan, daemon: &mut Side, echo: &mut Side) -> anyhow::Result<Vec<Row>> {
    let rounds = by_turns(plan, daemon, echo, |side| {
        let times = side.guests.one_asks(QUERY, plan.time)?;
        let part = |hundredths: usize| {
            times.get(times.len() * hundredths / 100).map(|time| time.as_secs_f64() * 1e6)
        };
        Ok((part(50).context("no answer")?, part(99).context("no answer")?))
    })?;
    let medians: Vec<_> = rounds.iter().map(|(daemon, echo)| (daemon.0, echo.0)).collect();
    let tails: Vec<_> = rounds.iter().map(|(daemon, echo)| (daemon.1, echo.1)).collect();
    Ok(vec![
        Row::compared(
            "1 guest asks `loadavg`: median round trip",
            "µs",
            &medians,
            Target::AtMost(1.2),
        ),
        Row::compared("the same, 99th percentile", "µs", &tails, Target::None),
    ])
}

fn throughput(plan: &Plan, daemon: &mut Side, echo: &mut Side) -> anyhow::Result<Vec<Row>> {
    let rounds = by_turns(plan, daemon, echo, |side| under_load(plan, side, QUERY))?;
    let rates: Vec<_> = rounds.iter().map(|(daemon, echo)| (daemon.rate, echo.rate)).collect();
    let costs: Vec<_> = rounds.iter().map(|(daemon, echo)| (daemon.cost, echo.cost)).collect();
    let shares: Vec<_> = rounds.iter().map(|(daemon, echo)| (daemon.share, echo.share)).collect();
    let guests = plan.guests;
    Ok(vec![
        Row::compared(
            format!("{guests} guests ask `loadavg` at once: answers"),
            "a second",
            &rates,
            Target::AtLeast(0.85),
        ),
        Row::compared("the same, how busy the server was", "%", &shares, Target::None),
        Row::compared("the same, the server's CPU time a query", "µs", &costs, Target::None),
    ])
}

fn cpu_times(plan: &Plan, daemon: &mut Side) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (name, query) in [("memory", &b"memory\n"[..]), ("*", b"*\n")] {
        let load = under_load(plan, daemon, query)?;
        rows.push(Row::alone(
            format!("{} guests ask `{name}` at once: CPU time a query", plan.guests),
            "µs",
            load.cost,
            Target::None,
        ));
    }
    Ok(rows)
}

/// A server while every guest asks.
struct Load {
    /// Answers a second.
    rate: f64,
    /// The server's CPU time for one of them, in microseconds.
    cost: f64,
    /// The server's CPU time in percent of one CPU.
    share: f64,
}

fn under_load(plan: &Plan, side: &mut Side, query: &[u8]) -> anyhow::Result<Load> {
    let process = side.server.process();
    let before = process.cpu_time()?;
    let start = std::time::Instant::now();
    let answers = f64::from(side.guests.all_ask(query, plan.time)?);
    let time = start.elapsed().as_secs_f64();
    let busy = (process.cpu_time()? - before).as_secs_f64();
    Ok(Load { rate: answers / time, cost: busy * 1e6 / answers, share: busy * 100.0 / time })
}

/// Measures both sides in each round, one first and then the other, so that neither has the
/// machine's better moments.
pub(crate) fn by_turns<T>(
    plan: &Plan,
    daemon: &mut Side,
    echo: &mut Side,
    measure: impl Fn(&mut Side) -> anyhow::Result<T>,
) -> anyhow::Result<Vec<(T, T)>> {
    let mut rounds = Vec::new();
    for round in 0..plan.rounds {
        rounds.push(if round % 2 == 0 {
            let first = measure(daemon).with_context(|| daemon.server.log())?;
            (first, measure(echo)?)
        } else {
            let first = measure(echo)?;
            (measure(daemon).with_context(|| daemon.server.log())?, first)
        });
    }
    Ok(rounds)
}
