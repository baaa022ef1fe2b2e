//! The administrator's notices to a guest, as statistics.

use std::sync::Arc;

use hostinfo_notices::Notice;
use hostinfo_wire::{Refusal, Value};
use jiff::Timestamp;

use super::Sources;

/// The reason behind 503. Not 404, because looking for notices now and then is reasonable.
const NONE: &str = "there is no notice for this guest";
const NO_MORE: &str = "there are fewer notices for this guest";

impl Sources<'_, '_> {
    /// One of the guest's notices, numbered from 1.
    pub(super) fn notice(&mut self, number: Option<&str>) -> Result<Value<'static>, Refusal> {
        let number: Option<usize> = number.and_then(|number| number.parse().ok());
        let notices = self.notices_of_guest();
        match number.and_then(|number| notices.get(number.checked_sub(1)?)) {
            Some(notice) => Ok(Value::text(notice.to_string())),
            None if notices.is_empty() => Err(Refusal::Unavailable(NONE.into())),
            None => Err(Refusal::Unavailable(NO_MORE.into())),
        }
    }

    /// The numbers of the guest's notices.
    pub(super) fn notice_numbers(&mut self) -> Vec<String> {
        (1..=self.notices_of_guest().len()).map(|number| number.to_string()).collect()
    }

    fn notices_of_guest(&mut self) -> &[Arc<Notice>] {
        let (admin_values, who) = (&self.admin_values, self.who);
        self.notices.get_or_insert_with(|| {
            admin_values.notices.of(who.name.whole(), Timestamp::now()).cloned().collect()
        })
    }
}
