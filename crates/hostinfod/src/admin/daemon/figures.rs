//! The daemon's own metrics, with their current values.

use hostinfo_control::GuestState;
use jiff::Timestamp;

use super::Daemon;
use crate::metrics::{Metrics, table};

/// Every state of a guest, with its word.
const STATES: [(GuestState, &str); 6] = [
    (GuestState::Connected, "connected"),
    (GuestState::Waiting, "waiting"),
    (GuestState::Failed, "failed"),
    (GuestState::Refused, "refused"),
    (GuestState::Disabled, "disabled"),
    (GuestState::Absent, "absent"),
];

impl Daemon<'_> {
    /// The daemon's own metrics.
    pub(in crate::admin) fn metrics(&self) -> Metrics {
        let mut all = Metrics::default();
        all.numbers(&table::BUILD, "version", [(env!("CARGO_PKG_VERSION"), 1)]);
        all.time(&table::START, self.socket.since);
        let states = self.states();
        let count = |state| states.get(&state).copied().unwrap_or_default();
        all.numbers(&table::GUESTS, "state", STATES.map(|(state, word)| (word, count(state))));
        let (watched, left_out) = self.guests.watched().count();
        let watched = [("watched", watched), ("left_out", left_out)];
        all.numbers(&table::WATCHED, "state", watched);
        all.tally(self.guests.tally());
        let libvirt = self.guests.engine().libvirt();
        let (outages, libvirt) = (libvirt.outages(), libvirt.state());
        let engine = self.guests.engine();
        let failures = [
            ("kernel", engine.host().failures()),
            ("libvirt", outages),
            ("custom", engine.admin_values().customs.failures()),
        ];
        all.numbers(&table::FAILURES, "source", failures);
        all.number(&table::MISSING, engine.host().missing().count() as u64);
        let notices = engine.admin_values().notices.all(Timestamp::now()).count() as u64;
        let rules = self.guests.rules().state();
        all.number(&table::RULES, rules.rules);
        all.time(&table::RULES_SINCE, self.guests.rules().in_force().since);
        all.number(&table::RULES_BAD, u64::from(rules.problem.is_some()));
        all.number(&table::SETTINGS_BAD, u64::from(self.settings.state().problem.is_some()));
        if let Some(up) = libvirt.state.is_up() {
            all.number(&table::LIBVIRT, u64::from(up));
        }
        if let Some(domains) = libvirt.domains {
            all.number(&table::DOMAINS, domains);
        }
        all.number(&table::NOTICES, notices);
        all.number(&table::CLIENTS, self.socket.clients);
        all.number(&table::LEFT_OUT, self.socket.left_out);
        all.number(&table::LOG_LEFT_OUT, self.logging.left_out());
        all
    }
}
