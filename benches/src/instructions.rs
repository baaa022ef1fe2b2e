//! Instructions of a query, which do not depend on what else the machine does: the daemon runs under
//! valgrind's callgrind. What the kernel does for it is not in them.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::guests::{Guests, Listening};
use crate::lines::LINES;
use crate::machine::Cpus;
use crate::measure::QUERY;
use crate::plan::Plan;
use crate::report::{Row, Target};
use crate::server::{Server, sockets};

/// Queries of a run: where twice as many cost twice as much, only they are in the difference.
const QUERIES: u32 = 20_000;

/// Asks one query of every guest.
type Ask = fn(&mut Guests) -> anyhow::Result<()>;

/// Counts them for whatever the bench compares with the echo server.
pub(crate) fn run(plan: &Plan, cpus: &Cpus) -> anyhow::Result<Vec<Row>> {
    let all: [(String, u16, Ask); 3] = [
        (format!("{} guests ask `loadavg` at once", plan.guests), plan.guests, |guests| {
            guests.all_ask(QUERY, std::time::Duration::ZERO).map(drop)
        }),
        (
            format!("{} guests ask one of {} lines each", plan.guests, LINES.len()),
            plan.guests,
            |guests| guests.all_ask_theirs(&LINES, std::time::Duration::ZERO).map(drop),
        ),
        ("1 guest asks `loadavg`".to_owned(), 1, |guests| guests.ask(QUERY).map(drop)),
    ];
    let mut rows = Vec::new();
    for (what, count, ask) in all {
        let once = total(plan, cpus, count, QUERIES, ask)?;
        let twice = total(plan, cpus, count, 2 * QUERIES, ask)?;
        let each = (twice.saturating_sub(once)) as f64 / f64::from(QUERIES);
        rows.push(Row::alone(what, "instructions a query", each.round(), Target::None));
    }
    Ok(rows)
}

/// Instructions of a daemon that is asked so often, from its start to its end.
fn total(plan: &Plan, cpus: &Cpus, count: u16, queries: u32, ask: Ask) -> anyhow::Result<u64> {
    let dir = tempfile::tempdir()?;
    let out = dir.path().join("callgrind.out");
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--quiet"]);
    command.arg(format!("--callgrind-out-file={}", out.display())).arg(&plan.daemon);
    let listening = Listening::new(&sockets(dir.path())?, count)?;
    let server = Server::daemon_by(command, dir.path(), "", cpus)?;
    let mut guests = listening.accept().with_context(|| server.log())?;
    for _ in 0..queries / u32::from(count) {
        ask(&mut guests)?;
    }
    server.end()?;
    totals(&out)
}

/// `totals: 123456` of a callgrind.out.
fn totals(out: &Path) -> anyhow::Result<u64> {
    let text = std::fs::read_to_string(out).with_context(|| out.display().to_string())?;
    match text.lines().find_map(|line| line.strip_prefix("totals:")) {
        Some(count) => Ok(count.trim().parse()?),
        None => bail!("{}: no totals", out.display()),
    }
}
