//! Guests that ask while a daemon is upgraded.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, anyhow, ensure};
use hostinfo_control::Upgraded;

use crate::ctl::{Ended, alone};
use crate::deadline::{PATIENCE, wait_for};
use crate::fake::{FakeGuest, FakeQemu};
use crate::host::Host;

/// Threads that ask, each for its part of the guests.
const THREADS: usize = 4;

/// Why nothing has changed where the new program took too long, as it may on a busy machine.
pub const LATE: &str = "did not read the handover within";

/// Why it has to be tried again while threads look at directories, which takes long on a busy machine.
const LOOKING: &str = "hostinfod is looking at the directories";

/// Upgrades the host's daemon, and again if the new program has not read the handover in time, or the daemon was not yet
/// ready for it, as on a busy machine: then nothing has changed.
///
/// # Errors
/// It was not upgraded.
pub fn upgrade(host: &Host) -> Result<Upgraded> {
    wait_for("an upgrade", PATIENCE, || match host.client()?.upgrade() {
        Err(error) if [LATE, LOOKING].iter().any(|why| error.to_string().contains(why)) => Ok(None),
        upgraded => upgraded.map(Some).context("upgrade"),
    })
}

/// Runs `hostinfoctl upgrade` with these options, and again as [`upgrade`] does.
///
/// # Errors
/// It cannot be run.
pub fn upgrade_by_tool(host: &Host, options: &[&str]) -> Result<Ended> {
    wait_for("an upgrade in time", PATIENCE, || {
        let ended = alone(host, &[&["upgrade"], options].concat())?;
        Ok((!ended.stderr.contains(LATE)).then_some(ended))
    })
}

/// Guests that ask.
#[derive(Debug)]
pub struct Asking(Vec<FakeGuest>);

impl Asking {
    /// So many guests, each with a socket that the daemon has connected to.
    ///
    /// # Errors
    /// It does not connect to one.
    pub fn join(host: &Host, guests: usize) -> Result<Self> {
        let join = |number: usize| FakeQemu::listen(&host.socket(&number.to_string()))?.accept();
        Ok(Self((0..guests).map(join).collect::<Result<_>>()?))
    }

    /// Has all of them ask until `what` is done: one line each, again and again, while the reply to the last one is
    /// awaited. Returns how many lines were answered.
    ///
    /// # Errors
    /// A line was not answered, or not with its own reply, or twice; or `what` failed.
    pub fn ask_during(mut self, what: impl FnOnce() -> Result<()>) -> Result<u64> {
        let is_over = AtomicBool::new(false);
        let each = self.0.len().div_ceil(THREADS);
        std::thread::scope(|scope| {
            let threads: Vec<_> = self
                .0
                .chunks_mut(each)
                .map(|guests| scope.spawn(|| ask_in_turn(guests, &is_over)))
                .collect();
            let done = what();
            is_over.store(true, Ordering::Relaxed);
            let mut asked = 0;
            for thread in threads {
                asked += thread.join().map_err(|_| anyhow!("a thread that asks"))??;
            }
            done.map(|()| asked)
        })
    }
}

fn ask_in_turn(guests: &mut [FakeGuest], is_over: &AtomicBool) -> Result<u64> {
    let mut asked = 0;
    while !is_over.load(Ordering::Relaxed) {
        for (number, guest) in guests.iter().enumerate() {
            guest.send(format!("ping {asked}-{number}\n"))?;
        }
        for (number, guest) in guests.iter_mut().enumerate() {
            let reply = guest.reply()?;
            ensure!(reply == [format!("200 pong {asked}-{number}")], "{asked}-{number}: {reply:?}");
        }
        asked += guests.len() as u64;
    }
    // A reply that came twice would be the next one's.
    for guest in guests {
        let reply = guest.ask("ping last")?;
        ensure!(reply == ["200 pong last"], "{reply:?}");
    }
    Ok(asked)
}
