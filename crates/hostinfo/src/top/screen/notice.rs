//! What the screen says where the host's figures are old or missing. Pure.

use std::time::Duration;

use crate::top::state::State;
use crate::units;

/// Why the host's figures are old or missing.
pub(super) fn notice(state: &State) -> Option<String> {
    /// As a rule, a host answers sooner.
    const LATE: Duration = Duration::from_secs(1);
    if state.is_silent() {
        return Some(state.silence.clone());
    }
    let waited = state.waited.filter(|waited| *waited >= LATE);
    let waited = waited.map(|waited| units::duration(Duration::from_secs(waited.as_secs())));
    let in_time = |before: &str| {
        let wait = state.wait.map(units::left);
        wait.map_or_else(String::new, |wait| format!("{before} in {wait}"))
    };
    match (waited, state.age) {
        (Some(waited), None) => {
            Some(format!("the host was asked {waited} ago: waiting for its answer"))
        }
        (None, _) if state.newest().is_none() => {
            Some("the first figures come with the second sample".to_owned())
        }
        (None, None) => {
            Some(format!("too soon to ask the host{}", in_time(": its first figures come")))
        }
        (waited, Some(age)) => {
            let old = Duration::from_secs(age.as_secs());
            let old = Some(units::duration(old)).filter(|_| age > 2 * state.every)?;
            let why = match waited {
                Some(waited) => format!(": it was asked {waited} ago, and has not answered"),
                None => in_time(", the next come"),
            };
            Some(format!("the host's figures are {old} old{why}"))
        }
    }
}
