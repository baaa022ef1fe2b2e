//! What the administrator sets for guests: changed together with the file that stores it.

use std::sync::Arc;

use hostinfo_control::Place;
use hostinfo_notices::{Declared, Draft, HostState, Notice};
use jiff::Timestamp;
use rustix::process::Uid;

use super::Guests;
use crate::admin_values::{host_state, notices};

impl Guests {
    /// The directory of the administrator's own statistics, and what is wrong in it or with hostinfo-run.
    pub(crate) fn custom_dir(&self) -> Place {
        self.admin_files.custom_dir.state(&self.engine().admin_values().customs)
    }

    /// Sets a notice for a user.
    ///
    /// # Errors
    /// The notices are unchanged then.
    pub(crate) fn set_notice(
        &mut self,
        draft: Draft,
        user: Uid,
        now: Timestamp,
    ) -> Result<Arc<Notice>, notices::Unchanged> {
        let in_force = &mut self.responder.admin_values().notices;
        self.admin_files.notices.set(in_force, draft, user.as_raw(), now)
    }

    /// Removes the notices with these ids, or all, for a user. Returns each.
    ///
    /// # Errors
    /// The notices are unchanged then.
    pub(crate) fn clear_notices(
        &mut self,
        ids: Option<&[u64]>,
        user: Uid,
    ) -> Result<Vec<Arc<Notice>>, notices::Unchanged> {
        let in_force = &mut self.responder.admin_values().notices;
        self.admin_files.notices.clear(in_force, ids, user.as_raw())
    }

    /// Sets the host state for a user.
    ///
    /// # Errors
    /// The host state is unchanged then.
    pub(crate) fn set_host_state(
        &mut self,
        state: HostState,
        remark: Option<String>,
        user: Uid,
        now: Timestamp,
    ) -> Result<&Declared, host_state::Unchanged> {
        let last = &mut self.responder.admin_values().declared;
        self.admin_files.host_state.set(last, state, remark, user.as_raw(), now)
    }
}
