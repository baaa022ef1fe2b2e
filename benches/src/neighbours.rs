//! What a guest can learn from how soon an answer comes, as `SECURITY.md` says it can. Both guests are sockets of this
//! program, so nothing of a virtual machine is in the times, and a real guest sees less.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use hostinfo_wire::limits::SAMPLE_GRID;

use crate::guests::{Guests, Listening};
use crate::machine::Cpus;
use crate::plan::Plan;
use crate::report::{Row, Target};
use crate::server::{Server, sockets};

/// What is asked, with its name in the table: from one file of the host, from many, and from the guest's own alone.
const LINES: [(&[u8], &str); 3] = [
    (b"loadavg\n", "`loadavg`"),
    (b"cpu memory paging disk net\n", "`cpu memory paging disk net`"),
    (b"session interval\n", "`session interval`"),
];

/// Answers of each kind.
const EACH: u16 = 280;

/// What the neighbour does before the guest asks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    /// It asks what is no figure of the host's: the daemon has just run, and read nothing.
    Ping,
    /// It asks the same.
    Same,
}

/// Measures it for each line.
pub(crate) fn run(plan: &Plan) -> anyhow::Result<Vec<Row>> {
    let dir = tempfile::tempdir()?;
    let cpus = Cpus::find()?;
    cpus.pin_guests()?;
    let mut rows = Vec::new();
    for (line, name) in LINES {
        rows.extend(of_line(plan, &dir.path().join("daemon"), &cpus, line, name)?);
    }
    Ok(rows)
}

fn of_line(
    plan: &Plan,
    dir: &Path,
    cpus: &Cpus,
    line: &[u8],
    name: &str,
) -> anyhow::Result<Vec<Row>> {
    let listening = Listening::new(&sockets(dir)?, 2)?;
    let server = Server::daemon(&plan.daemon, dir, "", cpus)?;
    let guests = listening.accept().with_context(|| server.log())?;
    let [mut guest, mut neighbour] = guests.into_two().context("two guests")?;
    let [mut alone, mut pinged, mut same] = [const { Vec::new() }; 3];
    for _ in 0..EACH {
        for (before, times) in
            [(Before::Nothing, &mut alone), (Before::Ping, &mut pinged), (Before::Same, &mut same)]
        {
            times.push(time_after(before, line, &mut guest, &mut neighbour)?);
        }
    }
    std::fs::remove_dir_all(dir)?;
    let middle = |times: &[Duration]| {
        let mut times = times.to_vec();
        times.sort_unstable();
        times.get(times.len() / 2).map_or(f64::NAN, |time| time.as_secs_f64() * 1e6)
    };
    let row = |what: &str, unit: &str, figure: f64| {
        Row::alone(format!("{name}: {what}"), unit, figure, Target::None)
    };
    Ok(vec![
        row("answered when nobody else asks", "us", middle(&alone)),
        row("when another guest has just sent `ping`", "us", middle(&pinged)),
        row("when another guest has just asked the same", "us", middle(&same)),
        row(
            "guesses from one answer which of these two it was",
            "% right",
            guessed(&same, &pinged),
        ),
    ])
}

/// How long an answer takes in a step of the samples' grid of which nobody has asked yet, but the neighbour.
fn time_after(
    before: Before,
    line: &[u8],
    guest: &mut Guests,
    neighbour: &mut Guests,
) -> anyhow::Result<Duration> {
    sleep(SAMPLE_GRID + SAMPLE_GRID / 3);
    match before {
        Before::Nothing => {}
        Before::Ping => drop(neighbour.ask(b"ping\n")?),
        Before::Same => drop(neighbour.ask(line)?),
    }
    let asked = Instant::now();
    guest.ask(line)?;
    Ok(asked.elapsed())
}

/// How often the best bound on the time tells one kind of answers, `sooner`, from the other, in per cent: 50 is by chance.
fn guessed(sooner: &[Duration], later: &[Duration]) -> f64 {
    let share = |times: &[Duration], bound: Duration| {
        times.iter().filter(|time| **time <= bound).count() as f64 / times.len() as f64
    };
    let right = |bound: &Duration| (share(sooner, *bound) + 1.0 - share(later, *bound)) / 2.0;
    sooner.iter().chain(later).map(right).fold(0.5, f64::max) * 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_that_are_always_sooner_are_always_guessed_and_equal_ones_by_chance() {
        let times = |millis: [u64; 4]| millis.map(Duration::from_millis);
        assert_eq!(guessed(&times([1, 2, 3, 4]), &times([5, 6, 7, 8])), 100.0);
        assert_eq!(guessed(&times([1, 2, 3, 4]), &times([1, 2, 3, 4])), 50.0);
        assert_eq!(guessed(&times([1, 2, 3, 9]), &times([5, 6, 7, 8])), 87.5);
    }
}
