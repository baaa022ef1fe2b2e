//! A verdict: one word, and a reason in a sentence.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr};

/// Who is to blame, from the guest's point of view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, EnumString, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum State {
    /// The guest itself at most: it got what it asked for.
    Ok,
    /// The host: others used what the guest wanted, or a limit that the host set around the guest held it back.
    Contended,
    /// The guest's own limits.
    SelfLimited,
    /// It cannot be determined.
    Unknown,
}

impl State {
    /// The word that guests read.
    pub fn word(self) -> &'static str {
        self.into()
    }
}

/// A verdict as the guest reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Who is to blame.
    pub state: State,
    /// The reason, for the guest's owner: one short line.
    pub reason: String,
}

impl Verdict {
    /// The verdict before there is a window: the guest can ask again after `wait`.
    pub fn ask_again(wait: Duration) -> Self {
        let seconds = wait.as_nanos().div_ceil(1_000_000_000).max(1);
        Self::new(State::Unknown, format!("ask again in {seconds} s"))
    }

    pub(crate) fn new(state: State, reason: impl Into<String>) -> Self {
        Self { state, reason: reason.into() }
    }
}

/// The value of a `verdict` statistic.
impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.state.word(), self.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalog_has_the_words_of_all_states() {
        let states = [State::Ok, State::Contended, State::SelfLimited, State::Unknown];
        assert_eq!(states.map(State::word), hostinfo_catalog::metric::STATES);
    }

    #[test]
    fn a_guest_that_waits_as_long_as_it_is_told_does_not_come_too_soon() {
        let again = |millis| Verdict::ask_again(Duration::from_millis(millis)).to_string();
        assert_eq!(again(39_001), "unknown: ask again in 40 s");
        assert_eq!(again(40_000), "unknown: ask again in 40 s");
        assert_eq!(again(0), "unknown: ask again in 1 s");
    }
}
