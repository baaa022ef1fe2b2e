//! What it costs to be vhostmd for guests that want its document: each has one of its own, and much of it is the same for all.

use std::time::Instant;

use crate::guests::Guests;
use crate::plan::Plan;
use crate::report::{Row, Target};
use crate::server::Server;

/// On the machine of `docs/benchmarks.md`, vhostmd 1.2 gives out 223,000 a second: the same text to all, which is
/// seconds old.
const ANSWERS: Target = Target::AtLeast(160_000.0);

/// Every guest asks at once, and again when it has its document.
pub(crate) fn run(plan: &Plan, server: &Server, guests: &mut Guests) -> anyhow::Result<Vec<Row>> {
    let (mut rates, mut costs) = (Vec::new(), Vec::new());
    for _ in 0..plan.rounds {
        let (start, before) = (Instant::now(), server.process().cpu_time()?);
        let answers = f64::from(guests.all_ask(b"GET /metrics/XML\n", plan.time)?);
        let busy = (server.process().cpu_time()? - before).as_secs_f64();
        rates.push(answers / start.elapsed().as_secs_f64());
        costs.push(busy * 1e6 / answers);
    }
    let what = format!("{} guests ask for vhostmd's document at once: answers", plan.guests);
    Ok(vec![
        Row::median(what, "a second", rates, ANSWERS),
        Row::median("the same, CPU time a query", "µs", costs, Target::None),
    ])
}
