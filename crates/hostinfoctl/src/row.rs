//! A guest in a list, combined from what libvirt, the rules file and the daemon know about it.

use hostinfo_control::{Counts, Guest, GuestState, LastQuery};
use hostinfo_domains::Form;
use hostinfo_rules::{Decision, Tags};
use serde::Serialize;

use crate::facts::Facts;
use crate::port_summary::{PortLocation, PortSummary};
use crate::rules::RulesOf;
use crate::state::State;
use crate::tags::Lookup;

/// A guest: three facts (saved, running, connection), what follows from them (state), and its rule.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    /// `$driver-$name`.
    pub(crate) guest: String,
    pub(crate) driver: String,
    pub(crate) name: String,
    pub(crate) uuid: Option<String>,
    pub(crate) state: State,
    /// What is wrong, with the remedy.
    pub(crate) problem: Option<String>,
    /// Whether `enable --repair` corrects that.
    #[serde(skip)]
    pub(crate) is_repairable: bool,
    /// What its saved configuration has; `None` if it is no domain.
    pub(crate) saved: Option<Has>,
    /// What it has while it runs; `None` if it is no domain.
    pub(crate) running: Option<Has>,
    /// What hostinfod says; `None` without it, or if the guest has no socket.
    pub(crate) connection: Option<GuestState>,
    /// Its socket, if that is outside the socket directory.
    pub(crate) socket: Option<String>,
    /// The channel for vhostmd's clients.
    pub(crate) vhostmd: Option<String>,
    /// Its tags, as rules see them.
    #[serde(skip)]
    pub(crate) tags: Tags,
    /// `None` if the rules are unknown.
    pub(crate) rule: Option<AppliedRule>,
    /// `None` without the daemon.
    pub(crate) queries: Option<Queries>,
}

/// What one form of a guest has: its saved configuration, or what runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "port", rename_all = "snake_case")]
pub(crate) enum Has {
    /// There is no such form: the guest is transient, or does not run.
    Off,
    /// It has no port.
    No,
    /// It has a port that is wrong.
    Wrong,
    /// It has this port.
    Yes(PortLocation),
}

impl Has {
    fn of(facts: &Facts, form: Form, location: Option<PortLocation>) -> Self {
        match (facts.of(form), location) {
            (None, _) => Self::Off,
            (Some(_), Some(location)) => Self::Yes(location),
            (Some(seen), None) if seen.ports.hostinfo.is_empty() => Self::No,
            (Some(_), None) => Self::Wrong,
        }
    }

    /// The port, if it has a right one.
    pub(crate) fn location(&self) -> Option<&PortLocation> {
        match self {
            Self::Yes(location) => Some(location),
            Self::Off | Self::No | Self::Wrong => None,
        }
    }
}

/// What the rules decide for a guest.
#[derive(Debug, Serialize)]
pub(crate) struct AppliedRule {
    pub(crate) file: String,
    /// `None`: the built-in default.
    pub(crate) line: Option<u64>,
    pub(crate) pattern: Option<String>,
    pub(crate) enabled: bool,
    /// Seconds.
    pub(crate) interval: f64,
}

/// The outcomes of a guest's lines since the daemon started.
#[derive(Debug, Serialize)]
pub(crate) struct Queries {
    pub(crate) answered: u64,
    pub(crate) refused: u64,
    pub(crate) last: Option<LastQuery>,
}

impl Row {
    /// The row of a domain. `None` if the domain disappeared while it was read.
    pub(crate) fn of_domain(facts: &Facts, sought: &Lookup) -> Option<Self> {
        let ports = facts.ports()?;
        let summary = PortSummary::of(facts);
        Some(Self {
            uuid: Some(facts.entry.uuid.to_string()),
            state: State::new(&summary),
            is_repairable: summary.problem.is_some(),
            problem: summary.problem,
            saved: Some(Has::of(facts, Form::Config, summary.saved)),
            running: Some(Has::of(facts, Form::Live, summary.running)),
            vhostmd: summary.vhostmd.map(|location| location.device),
            tags: facts.tags(sought),
            ..Self::of_socket(&ports.driver, &facts.entry.name)
        })
    }

    /// The row of a socket without a domain.
    pub(crate) fn of_socket(driver: &str, name: &str) -> Self {
        Self {
            guest: format!("{driver}-{name}"),
            driver: driver.to_owned(),
            name: name.to_owned(),
            uuid: None,
            state: State::NoDomain,
            problem: None,
            is_repairable: false,
            saved: None,
            running: None,
            connection: None,
            socket: None,
            vhostmd: None,
            tags: Tags::NONE,
            rule: None,
            queries: None,
        }
    }

    /// Adds what the rules decide.
    pub(crate) fn add_rule(&mut self, RulesOf { rules, file }: &RulesOf) {
        let grant = match rules.decide_tagged(&self.guest, &self.tags) {
            Decision::Granted(grant) => grant,
            Decision::Unreadable(grant) => {
                let why = "its tags cannot be read, so whether that rule applies is not known";
                self.problem.get_or_insert_with(|| why.to_owned());
                grant
            }
        };
        self.rule = Some(AppliedRule {
            file: file.display().to_string(),
            line: grant.rule().and_then(|rule| rule.line.try_into().ok()),
            pattern: grant.rule().map(|rule| rule.pattern.clone()),
            enabled: grant.enabled(),
            interval: grant.interval().as_secs_f64(),
        });
    }

    /// Adds what the daemon knows. Its rules were read from `file` and are in force.
    pub(crate) fn add_daemons(&mut self, guest: &Guest, file: &str) {
        self.connection = Some(guest.state).filter(|state| *state != GuestState::Absent);
        self.state = self.state.and(guest.state);
        if self.state == State::Error && self.problem.is_none() {
            self.problem.clone_from(&guest.problem);
        }
        self.socket = guest.ports.iter().find_map(|port| port.path.clone());
        self.rule = Some(AppliedRule {
            file: file.to_owned(),
            line: guest.line,
            pattern: guest.pattern.clone(),
            enabled: guest.state != GuestState::Disabled,
            interval: guest.interval,
        });
        let Counts { answered, malformed, not_permitted, .. } = guest.counts;
        let Counts { no_such_statistic, too_soon, unavailable, dropped, .. } = guest.counts;
        let refused = [malformed, not_permitted, no_such_statistic, too_soon, unavailable, dropped];
        let refused = refused.into_iter().fold(0, u64::saturating_add);
        self.queries = Some(Queries { answered, refused, last: guest.last.clone() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use hostinfo_control::{Port, PortKind, PortState};

    #[test]
    fn every_line_of_a_guests_is_answered_or_refused() {
        let counts = Counts {
            answered: 1,
            malformed: 2,
            not_permitted: 4,
            no_such_statistic: 8,
            too_soon: 16,
            unavailable: 32,
            dropped: 64,
        };
        let guest = Guest {
            guest: "qemu-a".to_owned(),
            driver: "qemu".to_owned(),
            name: "a".to_owned(),
            state: GuestState::Failed,
            problem: Some("why".to_owned()),
            ports: vec![Port {
                kind: PortKind::Hostinfo,
                state: PortState::Failed,
                path: Some("/r/a.s".to_owned()),
                problem: None,
            }],
            uuid: None,
            pattern: None,
            line: None,
            interval: 1.0,
            counts,
            last: None,
        };
        let mut row = Row::of_socket("qemu", "a");
        row.add_daemons(&guest, "/etc/h.conf");
        let queries = row.queries.unwrap();
        assert_eq!(row.socket.as_deref(), Some("/r/a.s"));
        assert_eq!((queries.answered, queries.refused), (1, 126));
        assert_eq!((row.state, row.problem.as_deref()), (State::Error, Some("why")));
    }
}
