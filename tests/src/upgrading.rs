//! Guests that ask while a daemon is upgraded.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, anyhow, ensure};
use hostinfo_control::Upgraded;

use crate::fake::{FakeGuest, FakeQemu};
use crate::host::Host;

/// Threads that ask, each for its part of the guests.
const THREADS: usize = 4;

/// Upgrades the host's daemon.
///
/// # Errors
/// It was not upgraded.
pub fn upgrade(host: &Host) -> Result<Upgraded> {
    host.client()?.upgrade().context("upgrade")
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
