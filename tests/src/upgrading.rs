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

/// Rules of guests that may ask all the time, and of some that may ask once an hour.
pub const RULES: &str = "qemu-slow*:\n  interval = 3600\n\n*:\n  interval = 0\n  all = 1\n";

/// One guest in so many may ask once an hour.
const SLOW: usize = 10;

/// Guests that ask, on a host with [`RULES`].
#[derive(Debug)]
pub struct Asking(Vec<AskingGuest>);

#[derive(Debug)]
struct AskingGuest {
    guest: FakeGuest,
    is_slow: bool,
    /// Whether it has had an answer.
    is_answered: bool,
}

impl Asking {
    /// So many guests, each with a socket that the daemon has connected to.
    ///
    /// # Errors
    /// It does not connect to one.
    pub fn join(host: &Host, guests: usize) -> Result<Self> {
        let join = |number: usize| {
            let is_slow = number.is_multiple_of(SLOW);
            let name = format!("{}{number}", if is_slow { "slow" } else { "" });
            let guest = FakeQemu::listen(&host.socket(&name))?.accept()?;
            Ok(AskingGuest { guest, is_slow, is_answered: false })
        };
        Ok(Self((0..guests).map(join).collect::<Result<_>>()?))
    }

    /// Has all of them ask until `what` is done: a query and a `ping`, again and again, once the replies to the last ones
    /// are there. Returns how many queries were replied to.
    ///
    /// # Errors
    /// A line had no reply, or not its own, or two; a query had another answer than the guest's rule allows; or `what`
    /// failed.
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

fn ask_in_turn(guests: &mut [AskingGuest], is_over: &AtomicBool) -> Result<u64> {
    let mut asked = 0;
    while !is_over.load(Ordering::Relaxed) {
        for (number, asking) in guests.iter().enumerate() {
            asking.guest.send(format!("loadavg.1\nping {asked}-{number}\n"))?;
        }
        for (number, asking) in guests.iter_mut().enumerate() {
            asking.ensure_answered()?;
            let reply = asking.guest.reply()?;
            ensure!(reply == [format!("200 pong {asked}-{number}")], "{asked}-{number}: {reply:?}");
        }
        asked += guests.len() as u64;
    }
    // A reply that came twice would be the next one's.
    for AskingGuest { guest, .. } in guests {
        let reply = guest.ask("ping last")?;
        ensure!(reply == ["200 pong last"], "{reply:?}");
    }
    Ok(asked)
}

impl AskingGuest {
    /// The reply to its query is an answer, or the second one's of a guest that may not ask again yet is that.
    fn ensure_answered(&mut self) -> Result<()> {
        let reply = self.guest.reply()?;
        let begins = if self.is_slow && self.is_answered { "429 " } else { "200 loadavg.1=" };
        ensure!(
            matches!(&reply[..], [line] if line.starts_with(begins)),
            "not {begins}: {reply:?}"
        );
        self.is_answered = true;
        Ok(())
    }
}
