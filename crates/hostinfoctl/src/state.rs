//! Whether a guest can ask, as a combination of libvirt's view and the daemon's.

use clap::ValueEnum as _;
use hostinfo_control::GuestState;
use serde::{Serialize, Serializer};

pub(crate) use crate::args::State;
use crate::port_summary::PortSummary;

/// In snake_case, as all of `--json`.
impl Serialize for State {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value = self.to_possible_value();
        serializer
            .serialize_str(&value.map_or_else(String::new, |it| it.get_name().replace('-', "_")))
    }
}

impl State {
    /// The state as libvirt shows it.
    pub(crate) fn new(summary: &PortSummary) -> Self {
        match (&summary.problem, &summary.running, &summary.saved) {
            (Some(_), _, _) => Self::Error,
            (None, Some(_), Some(_)) => Self::Enabled,
            (None, Some(_), None) => Self::UntilItEnds,
            (None, None, Some(_)) => Self::NextStart,
            (None, None, None) => Self::Disabled,
        }
    }

    /// The state combined with the daemon's. The daemon's counts only if libvirt's view allows it:
    /// the socket of a guest that has no port any more may still be there.
    pub(crate) fn and(self, daemons: GuestState) -> Self {
        match (self, daemons) {
            (Self::Error, _) | (_, GuestState::Absent) => self,
            (_, GuestState::Connected) => Self::Connected,
            (Self::Disabled | Self::NextStart, _) => self,
            (_, GuestState::Waiting) => Self::Waiting,
            (_, GuestState::Disabled) => Self::Closed,
            (_, GuestState::Failed | GuestState::Refused) => Self::Error,
        }
    }

    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::NextStart => "enabled at next start",
            Self::Enabled => "enabled",
            Self::UntilItEnds => "enabled until it ends",
            Self::Waiting => "waiting",
            Self::Connected => "connected",
            Self::Closed => "closed by its rule",
            Self::Error => "error",
            Self::NoDomain => "no domain",
        }
    }
}

/// The daemon's states in words.
pub(crate) fn daemon_state_words(state: GuestState) -> &'static str {
    match state {
        GuestState::Connected => State::Connected.words(),
        GuestState::Waiting => State::Waiting.words(),
        GuestState::Failed | GuestState::Refused => State::Error.words(),
        GuestState::Disabled => State::Closed.words(),
        GuestState::Absent => "not there",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port_summary::PortLocation;

    #[test]
    fn states_follow_from_what_is_and_what_will_be() {
        let location = || Some(PortLocation::of(&hostinfo_domains::Target::Serial(1)));
        let summary = |running, saved, problem: Option<&str>| PortSummary {
            running,
            saved,
            vhostmd: None,
            problem: problem.map(str::to_owned),
            words: String::new(),
        };
        for (summary, state) in [
            (summary(None, None, None), State::Disabled),
            (summary(None, location(), None), State::NextStart),
            (summary(location(), location(), None), State::Enabled),
            (summary(location(), None, None), State::UntilItEnds),
            (summary(location(), None, Some("x")), State::Error),
        ] {
            assert_eq!(State::new(&summary), state);
        }
    }

    #[test]
    fn the_daemon_knows_more_than_libvirt_but_not_of_what_is_wrong_in_its_xml() {
        for (libvirts, daemons, state) in [
            (State::Enabled, GuestState::Connected, State::Connected),
            (State::Enabled, GuestState::Waiting, State::Waiting),
            (State::Enabled, GuestState::Refused, State::Error),
            (State::NoDomain, GuestState::Connected, State::Connected),
            (State::UntilItEnds, GuestState::Disabled, State::Closed),
            (State::Error, GuestState::Connected, State::Error),
            // The socket was left by its last run.
            (State::NextStart, GuestState::Waiting, State::NextStart),
            (State::Disabled, GuestState::Failed, State::Disabled),
            (State::Enabled, GuestState::Absent, State::Enabled),
        ] {
            assert_eq!(libvirts.and(daemons), state, "{libvirts:?} {daemons:?}");
        }
    }
}
