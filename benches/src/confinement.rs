//! What it costs that the daemon confines itself: the same daemon with Landlock and seccomp, with one of them and without
//! either, and an echo server, by turns in the same run.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::guests::Guests;
use crate::lines::LINES;
use crate::machine::Cpus;
use crate::measure::{QUERY, STARTS, Side, start_daemon, start_echo};
use crate::plan::Plan;
use crate::report::{Row, Target};

/// What confines a daemon, and the settings that say so.
const CONFINED: [(&str, &str); 4] = [
    ("both", ""),
    ("Landlock alone", "[security]\nseccomp = false\n"),
    ("seccomp alone", "[security]\nlandlock = false\n"),
    ("neither", "[security]\nlandlock = false\nseccomp = false\n"),
];

/// Has every guest ask for some time: how many answers came.
type Ask = fn(&mut Guests, Duration) -> anyhow::Result<u32>;

/// What is asked.
const QUERIES: [(&str, Ask); 3] = [
    ("ask `loadavg` at once", |guests, time| guests.all_ask(QUERY, time)),
    ("ask one of 20 lines each", |guests, time| guests.all_ask_theirs(&LINES, time)),
    ("ask for vhostmd's document at once", |guests, time| {
        guests.all_ask(b"GET /metrics/XML\n", time)
    }),
];

/// Measures all of it.
pub(crate) fn run(plan: &Plan, dir: &Path, cpus: &Cpus) -> anyhow::Result<Vec<Row>> {
    let mut rows = queries(plan, dir, cpus)?;
    rows.extend(starts(plan, dir, cpus)?);
    Ok(rows)
}

/// Answers a second of each daemon, beside those of an echo server whose answers are as long as those to `loadavg`.
fn queries(plan: &Plan, dir: &Path, cpus: &Cpus) -> anyhow::Result<Vec<Row>> {
    let mut daemons = Vec::new();
    for (confined_by, settings) in CONFINED {
        let (side, _) = start_daemon(plan, &dir.join(confined_by), settings, cpus, plan.guests)?;
        daemons.push(side);
    }
    let first = daemons.first_mut().context("no daemon")?;
    let answer = first.guests.ask(QUERY)?;
    let mut echo = start_echo(plan.guests, &dir.join("echo"), &answer, cpus)?;
    let mut rows = Vec::new();
    for (what, ask) in QUERIES {
        let mut rounds = CONFINED.map(|_| Vec::new());
        for _ in 0..plan.rounds {
            let echoed = rate(&mut echo, |guests, time| guests.all_ask(QUERY, time), plan.time)?;
            for (side, rounds) in daemons.iter_mut().zip(&mut rounds) {
                rounds.push((rate(side, ask, plan.time)?, echoed));
            }
        }
        for ((confined_by, _), rounds) in CONFINED.iter().zip(&rounds) {
            let what = format!("{} guests {what}, confined by {confined_by}", plan.guests);
            rows.push(Row::compared(what, "a second", rounds, Target::None));
        }
    }
    Ok(rows)
}

fn rate(
    side: &mut Side,
    ask: impl Fn(&mut Guests, Duration) -> anyhow::Result<u32>,
    time: Duration,
) -> anyhow::Result<f64> {
    let start = Instant::now();
    let answers = ask(&mut side.guests, time).with_context(|| side.server.log())?;
    Ok(f64::from(answers) / start.elapsed().as_secs_f64())
}

/// How long a daemon takes to connect to a crowd.
fn starts(plan: &Plan, dir: &Path, cpus: &Cpus) -> anyhow::Result<Vec<Row>> {
    let mut times = CONFINED.map(|_| Vec::new());
    for _ in 0..STARTS {
        for ((_, settings), times) in CONFINED.iter().zip(&mut times) {
            let dir = dir.join("start");
            let (side, time) = start_daemon(plan, &dir, settings, cpus, plan.crowd)?;
            times.push(time.as_secs_f64());
            drop(side);
            std::fs::remove_dir_all(&dir)?;
        }
    }
    let rows = CONFINED.iter().zip(times).map(|((confined_by, _), times)| {
        let what = format!("start with {} sockets, confined by {confined_by}", plan.crowd);
        Row::median(what, "s", times, Target::None)
    });
    Ok(rows.collect())
}
