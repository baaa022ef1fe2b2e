//! Instructions of a query, which do not depend on what else the machine does: the daemon runs under
//! valgrind's callgrind. What the kernel does for it is not in them.

use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::everything::{GUESTS, PAUSE};
use crate::guests::{Guests, Listening};
use crate::lines::LINES;
use crate::machine::Cpus;
use crate::measure::QUERY;
use crate::plan::Plan;
use crate::report::{Row, Target};
use crate::server::{Server, sockets};
use crate::vmms::{Threads, Vmms};

/// What is asked again and again.
struct Case {
    what: String,
    /// How many guests there are. All of them ask at once.
    count: u16,
    /// Whether each has a VMM that can be looked at.
    has_vmms: bool,
    /// Queries of a run: where twice as many cost twice as much, only they are in the difference.
    queries: u32,
    ask: Ask,
}

/// Asks one query of every guest.
type Ask = fn(&mut Guests) -> anyhow::Result<()>;

/// Counts them for whatever the bench compares with the echo server, and for guests with VMMs.
pub(crate) fn run(plan: &Plan, cpus: &Cpus) -> anyhow::Result<Vec<Row>> {
    let of_host = |what, count, ask| Case { what, count, has_vmms: false, queries: 20_000, ask };
    let of_vmms = |query: &str, ask| Case {
        what: format!("{GUESTS} guests with VMMs ask `{query}`"),
        count: GUESTS,
        has_vmms: true,
        queries: 1000,
        ask,
    };
    let all = [
        of_host(format!("{} guests ask `loadavg` at once", plan.guests), plan.guests, |guests| {
            guests.all_ask(QUERY, Duration::ZERO).map(drop)
        }),
        of_host(
            format!("{} guests ask one of {} lines each", plan.guests, LINES.len()),
            plan.guests,
            |guests| guests.all_ask_theirs(&LINES, Duration::ZERO).map(drop),
        ),
        of_host("1 guest asks `loadavg`".to_owned(), 1, |guests| guests.ask(QUERY).map(drop)),
        of_vmms("vm", |guests| ask_in_next_step(guests, b"vm\n")),
        of_vmms("*", |guests| ask_in_next_step(guests, b"*\n")),
    ];
    let mut rows = Vec::new();
    for case in all {
        let once = total(plan, cpus, &case, case.queries)?;
        let twice = total(plan, cpus, &case, 2 * case.queries)?;
        let each = (twice.saturating_sub(once)) as f64 / f64::from(case.queries);
        rows.push(Row::alone(case.what, "instructions a query", each.round(), Target::None));
    }
    Ok(rows)
}

fn ask_in_next_step(guests: &mut Guests, request: &[u8]) -> anyhow::Result<()> {
    sleep(PAUSE);
    guests.all_ask(request, Duration::ZERO).map(drop)
}

/// Instructions of a daemon that is asked so often, from its start to its end.
fn total(plan: &Plan, cpus: &Cpus, case: &Case, queries: u32) -> anyhow::Result<u64> {
    let dir = tempfile::tempdir()?;
    let (out, sockets) = (dir.path().join("callgrind.out"), sockets(dir.path())?);
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--quiet"]);
    command.arg(format!("--callgrind-out-file={}", out.display())).arg(&plan.daemon);
    let (_vmms, listening) = if case.has_vmms {
        let (vmms, listeners) = Vmms::start(&sockets, &vec![Threads::USUAL; case.count.into()])?;
        (Some(vmms), Listening::of(listeners))
    } else {
        (None, Listening::new(&sockets, case.count)?)
    };
    let server = Server::daemon_by(command, dir.path(), "", cpus)?;
    let mut guests = listening.accept().with_context(|| server.log())?;
    for _ in 0..queries / u32::from(case.count) {
        (case.ask)(&mut guests)?;
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
