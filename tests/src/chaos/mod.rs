//! The chaos test: faults of all kinds in random order beside a crowd of guests, and what has to hold all the while.
//!
//! - Every reply is whole, and permitted by rules that were in force while it was asked for.
//! - No guest gets another's figures.
//! - Nobody waits longer than 1 s, or than the table of faults says, once the fault is over.
//! - Memory and descriptors of the daemon return to what they were.
//!
//! `fault` has the table of faults. `crowd` asks all the time, and `reply`, `judge`, `in_force` and `excuse` judge
//! each reply by what the faults excuse then.

pub mod excuse;
pub mod fault;
pub mod guest;
pub mod in_force;
pub mod judge;
pub mod lie;
pub mod reply;
pub mod resources;
pub mod situation;
pub mod world;

mod clock;
mod crowd;
mod daemon_faults;
mod file_faults;
mod helper_faults;
mod host_faults;
mod libvirt_faults;
mod member;

use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use fastrand::Rng;

use crate::host::Host;
use crate::libvirtd::Libvirtd;
use crowd::{Command, Crowd};
use fault::{FAULTS, Fault, Needs};
use guest::Number;
use in_force::{Grant, History, Rules};
use judge::Known;
use resources::Resources;
use situation::Situation;
use world::{Libvirt, World};

/// Guests of the crowd.
pub const GUESTS: Number = 200;

/// Names the seed of a run that is to be repeated.
pub const SEED: &str = "HOSTINFO_CHAOS_SEED";

/// Faults whose names contain this text are tried, and no others.
pub const ONLY: &str = "HOSTINFO_CHAOS_ONLY";

/// How long the daemon may take to hold what it held before a fault: it closes a connection that is idle, or a
/// file that nobody asks for, no later.
const RELEASED_WITHIN: Duration = Duration::from_secs(10);

const FIRST_RULES: Rules = Rules { even: Grant::Left, odd: Grant::Right, by_tag: false };

/// Which libvirt the faults are beside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beside {
    /// A fake helper that speaks for all guests.
    AFakeHelper,
    /// A real libvirtd that knows none of them.
    ALibvirtd,
}

/// Makes faults for that long, and prints which and when.
///
/// # Errors
/// Something broke that must not. The error says what, and how to repeat the run.
pub fn run(beside: Beside, time: Duration) -> Result<()> {
    let seed = match std::env::var(SEED) {
        Ok(seed) => seed.parse().with_context(|| format!("{SEED}={seed} is no number"))?,
        Err(_) => fastrand::u64(..),
    };
    println!("{GUESTS} guests, {beside:?}, {SEED}={seed}");
    with_seed(beside, time, seed).with_context(|| format!("repeat it with {SEED}={seed}"))
}

fn with_seed(beside: Beside, time: Duration, seed: u64) -> Result<()> {
    let host = Host::new(&FIRST_RULES.text())?;
    let (host, libvirt, known) = match beside {
        Beside::AFakeHelper => {
            let folder = world::fake_helper(&host, GUESTS)?;
            (host.with_programs_in(&folder), Libvirt::Fake(folder), Known::ToLibvirt)
        }
        Beside::ALibvirtd => (host, Libvirt::Real(Libvirtd::start()?), Known::ByName),
    };
    let history = History::new(FIRST_RULES, Instant::now());
    let situation = Arc::new(Mutex::new(Situation::new(history, known)));
    situation.lock().map_err(|_| anyhow::anyhow!("poisoned"))?.excuse_start();
    let (orders, taken) = channel();
    let crowd = Crowd::new(GUESTS, &host.sockets(), Arc::clone(&situation), taken)?;
    std::thread::scope(|scope| {
        let crowd = scope.spawn(|| crowd.run());
        let rng = Rng::with_seed(seed);
        let outcome = World::start(host, libvirt, rng, situation, orders.clone())
            .and_then(|world| Run::begin(world)?.faults(beside, time));
        let (done, _) = channel();
        let _ = orders.send((Command::Stop, done));
        match crowd.join() {
            Ok(ended) => outcome.and(ended),
            Err(_) => bail!("the crowd has panicked"),
        }
    })
}

/// A run, and what the daemon held when it began.
struct Run {
    world: World,
    begun: Instant,
    before: Resources,
}

impl Run {
    fn begin(world: World) -> Result<Self> {
        let begun = Instant::now();
        world.situation().excuse_started();
        world.calm_down()?;
        let breaches = std::mem::take(&mut world.situation().breaches);
        ensure!(breaches.is_empty(), "before any fault:\n{}", breaches.join("\n"));
        // All that is opened once is open when each guest has asked a few times.
        sleep(Duration::from_secs(2));
        let before = Resources::of(world.pid()?)?;
        println!(
            "{:7.3} s  all guests are served; the daemon holds {before}",
            begun.elapsed().as_secs_f64()
        );
        Ok(Self { world, begun, before })
    }

    fn faults(mut self, beside: Beside, time: Duration) -> Result<()> {
        let only = std::env::var(ONLY).unwrap_or_default();
        let fits = |fault: &&Fault| {
            fault.name.contains(&only)
                && match fault.needs {
                    Needs::FakeHelper => beside == Beside::AFakeHelper,
                    Needs::Libvirtd => beside == Beside::ALibvirtd,
                    Needs::Nothing => true,
                }
        };
        let all: Vec<&Fault> = FAULTS.iter().filter(fits).collect();
        let mut left: Vec<&Fault> = Vec::new();
        while self.begun.elapsed() < time {
            // Each once, before any comes again.
            if left.is_empty() {
                left.clone_from(&all);
                self.world.rng.shuffle(&mut left);
            }
            let first = left.pop().with_context(|| format!("{ONLY}={only} is no fault here"))?;
            let second = left.iter().rposition(|other| other.goes_with(first));
            let second = second.filter(|_| self.world.rng.u8(..) < 160).map(|at| left.remove(at));
            self.round(&[Some(first), second].into_iter().flatten().collect::<Vec<_>>())
                .with_context(|| format!("the daemon said:\n{}", self.log_end()))?;
        }
        let situation = self.world.situation();
        println!(
            "{:7.3} s  {} replies, the longest wait {:.3} s",
            self.begun.elapsed().as_secs_f64(),
            situation.replies,
            situation.longest.as_secs_f64()
        );
        Ok(())
    }

    /// Faults that begin and end at random times, and the calm after them.
    fn round(&mut self, faults: &[&'static Fault]) -> Result<()> {
        let mut ends: Vec<(Instant, &Fault)> = Vec::new();
        for fault in faults {
            let (least, most) = fault.lasts;
            let lasts = Duration::from_millis(self.world.rng.u64(least..=most));
            self.say(&format!("{} (for {:.1} s)", fault.name, lasts.as_secs_f64()));
            for (harm, _) in fault.harms {
                self.world.situation().excuses.begin(*harm);
            }
            (fault.begin)(&mut self.world).with_context(|| format!("begin: {}", fault.name))?;
            ends.push((Instant::now() + lasts, fault));
            sleep(Duration::from_millis(self.world.rng.u64(0..200)));
        }
        ends.sort_by_key(|(at, _)| *at);
        for (at, fault) in ends {
            sleep(at.saturating_duration_since(Instant::now()));
            (fault.end)(&mut self.world).with_context(|| format!("end: {}", fault.name))?;
            let now = Instant::now();
            for (harm, within) in fault.harms {
                self.world.situation().excuses.end(*harm, *within, now);
            }
            self.say(&format!("  over: {}", fault.name));
        }
        self.world.calm_down()?;
        self.look_at_resources()?;
        let breaches = std::mem::take(&mut self.world.situation().breaches);
        if !breaches.is_empty() {
            let faults: Vec<&str> = faults.iter().map(|fault| fault.name).collect();
            bail!("during or after \"{}\":\n{}", faults.join("\" and \""), breaches.join("\n"));
        }
        Ok(())
    }

    /// Memory and descriptors are as before.
    fn look_at_resources(&self) -> Result<()> {
        let begun = Instant::now();
        while let Some(excess) = Resources::of(self.world.pid()?)?.excess(&self.before) {
            if begun.elapsed() > RELEASED_WITHIN {
                self.world.situation().breach(format!("the daemon holds more: {excess}"));
                return Ok(());
            }
            sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    fn say(&self, what: &str) {
        println!("{:7.3} s  {what}", self.begun.elapsed().as_secs_f64());
    }

    fn log_end(&self) -> String {
        const LINES: usize = 30;
        let log = self.world.daemon.as_ref().map(crate::Daemon::log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines.get(lines.len().saturating_sub(LINES)..).unwrap_or_default().join("\n")
    }
}
