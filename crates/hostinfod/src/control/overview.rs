//! The daemon as a whole: how it does, what it counted, which rules are in force.

use hostinfo_control::limits::MISSING_MAX;
use hostinfo_control::{GuestState, Missing, Rules, Stats, Status};
use jiff::Timestamp;

use super::timestamp;
use crate::metrics::{Metrics, table};
use crate::server::Server;

/// Every state of a guest, with its word.
const STATES: [(GuestState, &str); 6] = [
    (GuestState::Connected, "connected"),
    (GuestState::Waiting, "waiting"),
    (GuestState::Failed, "failed"),
    (GuestState::Refused, "refused"),
    (GuestState::Disabled, "disabled"),
    (GuestState::Absent, "absent"),
];

impl Server {
    /// What the daemon does, and what is wrong with what it needs.
    pub(super) fn status(&mut self) -> Status {
        let libvirt = self.desk.libvirt().state();
        let engine = self.desk.engine();
        let host = engine.host().missing();
        let missing = host.map(|(source, absent)| {
            let remedy = absent.remedy.as_deref().unwrap_or_default();
            Missing { source: source.to_owned(), why: format!("{}: {remedy}", absent.reason) }
        });
        let customs = engine.given.customs.absent().filter_map(|(name, guest, absent)| {
            let remedy = absent.remedy.as_deref()?;
            let of = if guest.is_empty() { "" } else { " of " };
            Some(Missing { source: format!("custom.{name}{of}{guest}"), why: remedy.to_owned() })
        });
        let missing = missing.chain(customs).take(MISSING_MAX).collect();
        let states = self.states();
        let absent = states.get(&GuestState::Absent).copied().unwrap_or_default();
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            since: timestamp(self.control.since),
            socket_dir: self.paths.socket_dir.display().to_string(),
            guests: states.values().sum::<u64>() - absent,
            connected: states.get(&GuestState::Connected).copied().unwrap_or_default(),
            rules: self.rules.state(),
            libvirt,
            missing,
        }
    }

    /// The rules in force.
    pub(super) fn rules_in_force(&self) -> Rules {
        Rules { state: self.rules.state(), text: self.rules.in_force().text.clone() }
    }

    /// The daemon's own figures, one by one.
    pub(super) fn stats(&mut self) -> Stats {
        Stats { since: timestamp(self.control.since), figures: self.metrics().figures() }
    }

    /// The daemon's own figures.
    pub(crate) fn metrics(&mut self) -> Metrics {
        let mut all = Metrics::default();
        all.numbers(&table::BUILD, "version", [(env!("CARGO_PKG_VERSION"), 1)]);
        all.time(&table::START, self.control.since);
        let states = self.states();
        let count = |state| states.get(&state).copied().unwrap_or_default();
        all.numbers(&table::GUESTS, "state", STATES.map(|(state, word)| (word, count(state))));
        all.tally(&self.desk.tally);
        let libvirt = self.desk.libvirt();
        let (outages, libvirt) = (libvirt.outages(), libvirt.state());
        let engine = self.desk.engine();
        let failures = [
            ("kernel", engine.host().failures()),
            ("libvirt", outages),
            ("custom", engine.given.customs.failures()),
        ];
        all.numbers(&table::FAILURES, "source", failures);
        all.number(&table::MISSING, engine.host().missing().count() as u64);
        let notices = engine.given.notices.notices().all(Timestamp::now()).count() as u64;
        let rules = self.rules.state();
        all.number(&table::RULES, rules.rules);
        all.time(&table::RULES_SINCE, self.rules.in_force().since);
        all.number(&table::RULES_BAD, u64::from(rules.problem.is_some()));
        if let Some(up) = libvirt.state.is_up() {
            all.number(&table::LIBVIRT, u64::from(up));
        }
        if let Some(domains) = libvirt.domains {
            all.number(&table::DOMAINS, domains);
        }
        all.number(&table::NOTICES, notices);
        all.number(&table::CLIENTS, self.control.clients.len() as u64);
        all.number(&table::LEFT_OUT, self.control.left_out);
        all
    }
}
