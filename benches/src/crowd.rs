//! Ten thousand guests on one host: how fast the daemon has all of them, what they cost while they
//! are idle, and whether each has its share when all of them ask.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::machine::{Cpus, open_files};
use crate::measure::{QUERY, STARTS, Side, by_turns, start_daemon, start_echo};
use crate::plan::{Plan, SETTLED};
use crate::report::{Row, Target};
use crate::server::Server;

/// How long all ask for their shares to be compared: some hundred answers for each, so that one more or
/// less, where time is up, does not show.
const SHARING: Duration = Duration::from_secs(10);

/// How long all ask at least before the other server has its turn. One answer to each takes 50 ms.
const ASKING: Duration = Duration::from_millis(300);

/// What the bench has open beside its guests' sockets. The usual hard limit of 20,000 open files leaves
/// the echo server so many guests less.
const OTHER_FILES: u64 = 50;

/// Measures all of it.
pub(crate) fn run(plan: &Plan, dir: &Path, cpus: &Cpus) -> anyhow::Result<Vec<Row>> {
    let count = plan.crowd;
    let empty = memory_without_guests(plan, &dir.join("empty"), cpus)?;
    let mut starts = Vec::new();
    for number in 1..STARTS {
        let (_, time) = start_daemon(plan, &dir.join(number.to_string()), "", cpus, count)?;
        starts.push(time.as_secs_f64());
    }
    let (side, time) = start_daemon(plan, &dir.join("daemon"), "", cpus, count)?;
    starts.push(time.as_secs_f64());
    let mut daemon = Side { guests: side.guests.shuffled(), ..side };
    let process = daemon.server.process();
    let memory = || -> anyhow::Result<f64> {
        sleep(SETTLED);
        let grown = process.memory()?.saturating_sub(empty);
        Ok(grown as f64 / 1024.0 / f64::from(count))
    };

    let before = memory()?;
    daemon.guests.all_ask(b"*\n", Duration::ZERO)?;
    let after = memory()?;
    let wakeups = process.wakeups_in(plan.idle)?;

    let answer = daemon.guests.ask(QUERY)?;
    let room = open_files().saturating_sub(u64::from(count) + OTHER_FILES);
    let echoed = u16::try_from(room).unwrap_or(count).min(count);
    let echo = start_echo(echoed, &dir.join("echo"), &answer, cpus)?;
    let mut echo = Side { guests: echo.guests.shuffled(), ..echo };
    let rates = by_turns(plan, &mut daemon, &mut echo, |side| {
        let start = Instant::now();
        let answers = f64::from(side.guests.all_ask(QUERY, plan.time.max(ASKING))?);
        Ok(answers / start.elapsed().as_secs_f64())
    })?;
    drop(echo);
    let shares = daemon.guests.all_ask_freely(QUERY, SHARING)?;
    Ok(vec![
        Row::median(
            format!("start with {count} sockets until all are connected"),
            "s",
            starts,
            Target::AtMost(0.5),
        ),
        Row::alone(
            format!("{count} idle guests: memory"),
            "KiB a guest",
            before,
            Target::AtMost(1.0),
        ),
        Row::alone(
            format!("{count} idle guests that asked `*` once: memory"),
            "KiB a guest",
            after,
            Target::AtMost(4.0),
        ),
        Row::alone(
            format!("the same, in {} s", plan.idle.as_secs()),
            "wake-ups",
            wakeups as f64,
            Target::AtMost(0.0),
        ),
        Row::compared(
            format!("{count} guests ask `loadavg` at once: answers"),
            "a second",
            &rates,
            Target::AtLeast(0.8),
        ),
        Row::alone(
            "the same: Jain's index of how even answers are shared",
            "",
            jains_index(&shares),
            Target::AtLeast(0.999),
        ),
    ])
}

fn memory_without_guests(plan: &Plan, dir: &Path, cpus: &Cpus) -> anyhow::Result<u64> {
    let server = Server::daemon(&plan.daemon, dir, "", cpus)?;
    sleep(SETTLED);
    server.process().memory().with_context(|| server.log())
}

/// 1 where all have the same share, and `1 / n` where one of `n` has everything: Jain, Chiu and Hawe,
/// *A Quantitative Measure of Fairness*, 1984.
fn jains_index(shares: &[u32]) -> f64 {
    let sum: f64 = shares.iter().copied().map(f64::from).sum();
    let squares: f64 = shares.iter().copied().map(|share| f64::from(share).powi(2)).sum();
    sum * sum / (shares.len() as f64 * squares)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_is_1_for_equal_shares_and_one_guests_part_if_it_has_everything() {
        assert_eq!(jains_index(&[7, 7, 7, 7]), 1.0);
        assert_eq!(jains_index(&[0, 9, 0, 0]), 0.25);
        assert!(jains_index(&[10, 11]) < 1.0);
    }
}
