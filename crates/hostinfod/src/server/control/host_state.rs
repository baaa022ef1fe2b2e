//! What the administrator says of the host, as it is set and shown.

use hostinfo_control::{HostState, HostStateSaid, Refusal};
use hostinfo_notices::Declared;
use jiff::Timestamp;
use rustix::process::Uid;

use crate::control::answer::failed;
use crate::given::host_state::Unchanged;
use crate::server::Server;

impl Server {
    /// What was said last.
    pub(super) fn host_state(&mut self) -> HostStateSaid {
        said(self.guests.engine_mut().given_mut().declared.as_ref())
    }

    /// Says it for a user.
    pub(super) fn set_host_state(
        &mut self,
        state: HostState,
        text: Option<&str>,
        user: Uid,
    ) -> Result<HostStateSaid, Refusal> {
        let (remark, now) = (text.map(str::to_owned), Timestamp::now());
        let last = &mut self.guests.engine_mut().given_mut().declared;
        match self.given_files.host_state.set(last, state, remark, user.as_raw(), now) {
            Ok(declared) => Ok(said(Some(declared))),
            Err(Unchanged::Remark(why)) => Err(Refusal::BadHostState { message: why.to_string() }),
            Err(Unchanged::File(error)) => Err(failed(error.to_string())),
        }
    }
}

fn said(declared: Option<&Declared>) -> HostStateSaid {
    HostStateSaid {
        state: declared.map(|declared| declared.state).unwrap_or_default(),
        text: declared.and_then(|declared| declared.remark.clone()),
        since: declared.map(|declared| declared.since),
    }
}
