//! `host-state`: the state of the host that guests read.

use hostinfo_control::{HostState as State, HostStateReply};
use hostinfo_wire::text::escaped;

use crate::args::{HostState, Options, StateToSet};
use crate::daemon::connect;
use crate::exit::{DONE, Failure, Status};
use crate::output::write_result;
use crate::time::local;

/// Shows it or sets it.
///
/// # Errors
/// [`Failure`].
pub(crate) fn run(options: &Options, wanted: Option<&HostState>) -> Result<Status, Failure> {
    let mut daemon = connect(options)?;
    let reply = match wanted {
        None => daemon.host_state()?,
        Some(HostState::Set { state, text }) => {
            daemon.set_host_state(as_sent(*state), text.as_deref())?
        }
    };
    write_result(options, &reply, || shown(&reply))?;
    Ok(DONE)
}

fn as_sent(state: StateToSet) -> State {
    match state {
        StateToSet::Normal => State::Normal,
        StateToSet::Draining => State::Draining,
        StateToSet::Degraded => State::Degraded,
    }
}

fn shown(reply: &HostStateReply) -> String {
    let since = reply.since.map(|since| format!(", since {}", local(since))).unwrap_or_default();
    let text = reply.text.as_deref().map(|text| format!(": {}", escaped(text))).unwrap_or_default();
    format!("{}{since}{text}\n", reply.state)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_is_shown_with_since_when_and_why() {
        let since = Some("2026-11-22T22:00:00Z".parse().unwrap());
        let text = Some("a fan has failed".to_owned());
        let text = shown(&HostStateReply { state: State::Degraded, text, since });
        assert!(text.starts_with("degraded, since 2026-11-22 "), "{text}");
        assert!(text.ends_with(": a fan has failed\n"), "{text}");
        let nothing = HostStateReply { state: State::Normal, text: None, since: None };
        assert_eq!(shown(&nothing), "normal\n");
    }
}
