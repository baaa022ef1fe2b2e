//! Notices to guests: setting, listing and removing them.

use std::sync::Arc;

use hostinfo_control::{Cleared, Notice, Notices, Refusal, SetNotice};
use hostinfo_notices::{self as notices, Draft};
use jiff::Timestamp;
use rustix::process::Uid;

use super::Daemon;
use super::answer::failed;
use crate::admin_values::notices::Unchanged;

impl Daemon<'_> {
    /// Sets a notice for a user.
    pub(super) fn set_notice(&mut self, draft: Draft, user: Uid) -> Result<SetNotice, Refusal> {
        let now = Timestamp::now();
        let notice = self.guests.set_notice(draft, user, now).map_err(refusal)?;
        let guests = self.present_guests().filter(|name| notice.is_for(name));
        let guests: Vec<&str> = guests.collect();
        let notices = &self.guests.engine().admin_values().notices;
        let hidden = guests.iter().filter(|name| notices.hide(&notice, name, now)).count();
        Ok(SetNotice {
            notice: describe(&notice),
            guests: guests.len() as u64,
            hidden: hidden as u64,
        })
    }

    /// All current notices.
    pub(super) fn notices(&self) -> Notices {
        let notices = &self.guests.engine().admin_values().notices;
        Notices { notices: notices.all(Timestamp::now()).map(describe).collect() }
    }

    /// Removes those with these ids, or all, for a user.
    pub(super) fn clear_notices(
        &mut self,
        ids: Option<&[u64]>,
        user: Uid,
    ) -> Result<Cleared, Refusal> {
        let cleared = self.guests.clear_notices(ids, user).map_err(refusal)?;
        Ok(Cleared { cleared: cleared.iter().map(describe).collect() })
    }
}

fn describe(notice: &Arc<notices::Notice>) -> Notice {
    let Draft { pattern, kind, at, until, text } = notice.draft.clone();
    Notice { id: notice.id, pattern, kind, text, at, until }
}

fn refusal(unchanged: Unchanged) -> Refusal {
    let message = unchanged.to_string();
    match unchanged {
        Unchanged::Refused(_) => Refusal::BadNotice { message },
        Unchanged::NoSuchNotice(id) => Refusal::NoSuchNotice { id, message },
        Unchanged::File(_) => failed(message),
    }
}
