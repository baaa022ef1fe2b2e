//! The host state, as it is set and shown.

use hostinfo_control::{HostState, HostStateReply, Refusal};
use hostinfo_notices::Declared;
use jiff::Timestamp;
use rustix::process::Uid;

use super::Daemon;
use super::answer::failed;
use crate::admin_values::host_state::Unchanged;

impl Daemon<'_> {
    /// The state that was last set.
    pub(super) fn host_state(&self) -> HostStateReply {
        describe(self.guests.engine().admin_values().declared.as_ref())
    }

    /// Sets it for a user.
    pub(super) fn set_host_state(
        &mut self,
        state: HostState,
        text: Option<&str>,
        user: Uid,
    ) -> Result<HostStateReply, Refusal> {
        let (remark, now) = (text.map(str::to_owned), Timestamp::now());
        match self.guests.set_host_state(state, remark, user, now) {
            Ok(declared) => Ok(describe(Some(declared))),
            Err(Unchanged::Remark(why)) => Err(Refusal::BadHostState { message: why.to_string() }),
            Err(Unchanged::File(error)) => Err(failed(error.to_string())),
        }
    }
}

fn describe(declared: Option<&Declared>) -> HostStateReply {
    HostStateReply {
        state: declared.map(|declared| declared.state).unwrap_or_default(),
        text: declared.and_then(|declared| declared.remark.clone()),
        since: declared.map(|declared| declared.since),
    }
}
