//! How long a guest waits for its answer while hundreds of others send nonsense without end.

use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::guests::Listening;
use crate::machine::Cpus;
use crate::plan::Plan;
use crate::report::{Row, Target};
use crate::server::{Server, sockets};

/// Guests that send nonsense.
const FLOODING: u16 = 500;

/// How long they do, and for how long of that nobody is measured: until all of them have filled what the
/// kernel holds for them.
const TIME: Duration = Duration::from_secs(8);
const BEGINNING: Duration = Duration::from_secs(2);

/// The pause of the honest guest between two questions.
const PAUSE: Duration = Duration::from_millis(3);

const PING: &[u8] = b"ping\n";
const PONG: &[u8] = b"200 pong\n";

/// Measures it. No bound on flow is in force, so none of them ever has to stop.
pub(crate) fn run(plan: &Plan, dir: &Path, cpus: &Cpus) -> anyhow::Result<Row> {
    let listening = Listening::new(&sockets(dir)?, FLOODING + 1)?;
    let server = Server::daemon(&plan.daemon, dir, "", cpus)?;
    let mut flooding = listening.accept().with_context(|| server.log())?.into_connections();
    let mut honest = flooding.pop().context("no guest")?;
    for guest in flooding.iter().chain([&honest]) {
        guest.set_nonblocking(true)?;
    }
    let mut waits = waits(&mut flooding, &mut honest).with_context(|| server.log())?;
    waits.sort_unstable();
    let p99 = waits.get(waits.len() * 99 / 100).context("no answer")?.as_secs_f64() * 1e3;
    let what =
        format!("{FLOODING} guests flood it with nonsense: 99th percentile of another's `ping`");
    Ok(Row::alone(what, "ms", p99, Target::AtMost(10.0)))
}

/// How long each answer took. One thread plays all, so that none of the players waits for another: while
/// there is no answer, one guest after the other sends as much as there is room for.
fn waits(flooding: &mut [UnixStream], honest: &mut UnixStream) -> anyhow::Result<Vec<Duration>> {
    let nonsense = b"x\n".repeat(2048);
    let (start, mut waits, mut answer) = (Instant::now(), Vec::new(), [0; PONG.len()]);
    let (mut asked, mut answered) = (None, start);
    let numbers = (0..flooding.len()).cycle();
    for number in numbers {
        let guest = flooding.get_mut(number).context("no guest")?;
        match guest.write(&nonsense) {
            Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error.into()),
            _ => {}
        }
        let now = Instant::now();
        if now - start > TIME {
            break;
        }
        match asked {
            None if now - answered >= PAUSE => {
                honest.write_all(PING)?;
                asked = Some(now);
            }
            None => {}
            Some(since) => match honest.read(&mut answer) {
                Ok(_) if answer == PONG => {
                    if since - start >= BEGINNING {
                        waits.push(now - since);
                    }
                    (asked, answered) = (None, now);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Ok(_) => bail!("not an answer: {}", String::from_utf8_lossy(&answer)),
                Err(error) => return Err(error.into()),
            },
        }
    }
    // Who waits still has waited that long at the least.
    waits.extend(asked.map(|since| since.elapsed()));
    Ok(waits)
}
