//! What the daemon itself knows about a guest and its reply, as statistics.

use std::time::SystemTime;

use hostinfo_catalog::source::Own;
use hostinfo_wire::{Refusal, Value};

use super::Sources;

/// The reason behind 503 if no ratio or verdict in a reply covers a time.
const NO_WINDOW: &str = "no value in this reply covers a time";

impl<'a> Sources<'a, '_> {
    /// The value of a statistic that needs no source.
    pub(super) fn own(&self, own: Own) -> Result<Value<'a>, Refusal> {
        let who = self.who;
        Ok(match own {
            Own::Session => Value::text(who.session.id()),
            Own::SessionStart => since_1970(who.session.start.unwrap_or_else(SystemTime::now)),
            Own::Time => since_1970(SystemTime::now()),
            // The true age would show whether another guest had asked for the sample.
            Own::SampleAge => Value::seconds(self.times.age),
            Own::Window => {
                let window = self.times.window.or(self.times.verdicts);
                Value::seconds(window.ok_or(Refusal::Unavailable(NO_WINDOW.into()))?)
            }
            Own::Interval => Value::seconds(who.grant.interval()),
            Own::HostId => Value::text(who.host_id.text()),
            Own::Driver => Value::text(who.name.driver()),
            Own::GuestName => Value::text(who.name.guest()),
        })
    }
}

fn since_1970(time: SystemTime) -> Value<'static> {
    Value::seconds(time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}
