//! What the crowd of guests has to know of the faults, and what it has seen.

use std::fs;
use std::time::{Duration, Instant};

use super::excuse::{Excuses, Harm};
use super::in_force::{History, IN_FORCE_WITHIN};
use super::judge::Known;

/// The longest that a guest may wait while no fault excuses it.
pub const LONGEST: Duration = Duration::from_secs(1);

/// Breaches that are kept: one fault may break something for each guest.
const BREACHES_MAX: usize = 20;

/// Shared by faults and guests.
#[derive(Debug)]
pub struct Situation {
    /// All that the rules file has contained.
    pub history: History,
    /// What faults may do now.
    pub excuses: Excuses,
    /// Whether libvirt knows the guests.
    pub known: Known,
    /// The daemon's process, while there is one.
    pub daemon: Option<u32>,
    /// When libvirt was last seen to answer after it had not.
    pub figures_since: Instant,
    /// What must not happen and did.
    pub breaches: Vec<String>,
    /// Replies that were judged.
    pub replies: u64,
    /// The longest that a guest waited when nothing excused it.
    pub longest: Duration,
}

impl Situation {
    /// Before the first fault.
    pub fn new(history: History, known: Known) -> Self {
        Self {
            history,
            excuses: Excuses::default(),
            known,
            daemon: None,
            figures_since: Instant::now(),
            breaches: Vec::new(),
            replies: 0,
            longest: Duration::ZERO,
        }
    }

    /// While the daemon has not started, everything is excused.
    pub fn excuse_start(&mut self) {
        Harm::ALL.into_iter().for_each(|harm| self.excuses.begin(harm));
    }

    /// It has started, and all has to be well soon.
    pub fn excuse_started(&mut self) {
        const STARTED: Duration = Duration::from_secs(5);
        let now = Instant::now();
        Harm::ALL.into_iter().for_each(|harm| self.excuses.end(harm, STARTED, now));
    }

    /// libvirt was seen to answer again, so that guests get what it says from a moment on.
    pub fn libvirt_answers(&mut self, now: Instant) {
        const SOON: Duration = Duration::from_millis(500);
        self.excuses.is_over(Harm::Libvirt, now + SOON);
        self.excuses.is_over(Harm::Standing, now + SOON);
        self.figures_since = now;
    }

    /// Something has happened that must not.
    pub fn breach(&mut self, what: String) {
        if self.breaches.len() < BREACHES_MAX {
            self.breaches.push(what);
        }
    }

    /// Rules that were written long enough ago are in force, unless a fault keeps the daemon from reading them.
    pub fn settle_rules(&mut self, now: Instant) {
        // What was written in the meantime has its own time from then on.
        let since = now.checked_sub(IN_FORCE_WITHIN).unwrap_or(now);
        let hinders = |harm| self.excuses.covers(harm, since);
        if !hinders(Harm::Waiting) && !hinders(Harm::Files) {
            self.history.settle(now);
        }
    }

    /// How long the daemon has waited for a CPU. That is no fault of its own on a machine with other work.
    pub fn kept_from_running(&self) -> Duration {
        let path = self.daemon.map(|pid| format!("/proc/{pid}/schedstat"));
        path.and_then(|path| run_delay(&path)).unwrap_or_default()
    }
}

/// The second field of schedstat, sched-stats.rst: nanoseconds that a thread could run and had no CPU.
fn run_delay(path: &str) -> Option<Duration> {
    let text = fs::read_to_string(path).ok()?;
    Some(Duration::from_nanos(text.split_whitespace().nth(1)?.parse().ok()?))
}
