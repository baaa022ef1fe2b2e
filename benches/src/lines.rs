//! Guests that ask the same host, each for something else.

use std::path::Path;

use crate::machine::Cpus;
use crate::measure::{Side, by_turns, start_echo};
use crate::plan::Plan;
use crate::report::{Row, Target};

/// Lines about the host, as guests with different monitoring ask them.
pub(crate) const LINES: [&[u8]; 20] = [
    b"loadavg\n",
    b"loadavg.1\n",
    b"json loadavg\n",
    b"metrics loadavg\n",
    b"memory\n",
    b"json memory\n",
    b"memory.total\n",
    b"physcpus\n",
    b"physcpus memory.total\n",
    b"cpu.model\n",
    b"json cpu.model physcpus\n",
    b"host.kernel\n",
    b"host.boot\n",
    b"swap\n",
    b"json swap loadavg\n",
    b"paging\n",
    b"cpu.seconds\n",
    b"procs.running loadavg\n",
    b"cpu.seconds.user cpu.seconds.system\n",
    b"metrics memory.total loadavg.1\n",
];

/// Measures it. The echo server's answers are as long as the daemon's are on average.
pub(crate) fn run(plan: &Plan, dir: &Path, cpus: &Cpus, daemon: &mut Side) -> anyhow::Result<Row> {
    let mut length = 0;
    for line in LINES {
        length += daemon.guests.ask(line)?.len();
    }
    let answer = format!("200 {}\n", "x".repeat(length / LINES.len() - "200 \n".len()));
    let mut echo = start_echo(plan.guests, dir, &answer, cpus)?;
    let rates = by_turns(plan, daemon, &mut echo, |side| {
        let start = std::time::Instant::now();
        let answers = f64::from(side.guests.all_ask_theirs(&LINES, plan.time)?);
        Ok(answers / start.elapsed().as_secs_f64())
    })?;
    let guests = plan.guests;
    let what = format!("{guests} guests ask one of {} lines each: answers", LINES.len());
    Ok(Row::compared(what, "a second", &rates, Target::AtLeast(0.7)))
}
