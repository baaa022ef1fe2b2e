//! Who watches what guests ask: told as it happens, as far as they keep up.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use hostinfo_control::limits::WATCHED_REPLY_MAX;
use hostinfo_control::{Event, answer};
use hostinfo_wire::Code;
use hostinfo_wire::value::printable;

use super::{failed, timestamp};
use crate::guest::Guest;
use crate::server::Server;
use crate::system::poll::Interest;

/// What there is to tell of a guest's line and its reply.
pub(crate) fn event(guest: &Guest, line: &[u8], code: Code, reply: &[u8], took: Duration) -> Event {
    let beginning = reply.get(..WATCHED_REPLY_MAX).unwrap_or(reply);
    let whole_characters = beginning.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    Event {
        at: timestamp(SystemTime::now()),
        guest: guest.name.whole().to_owned(),
        asked: shown(line),
        code: code as u16,
        reply: whole_characters.to_owned(),
        bytes: reply.len() as u64,
        seconds: took.as_secs_f64(),
        left_out: 0,
    }
}

/// A guest's bytes as a terminal may be given them.
pub(super) fn shown(line: &[u8]) -> String {
    printable(Cow::Owned(String::from_utf8_lossy(line).into_owned())).into_owned()
}

impl Server {
    /// Tells of what was answered in the last turn.
    pub(crate) fn tell_watchers(&mut self) {
        let Some(event) = self.desk.take_seen() else { return };
        let (mut slow, mut gone) = (Vec::new(), Vec::new());
        for (number, client) in &mut self.control.clients {
            let make = |left_out| {
                let event = Event { left_out, ..event.clone() };
                answer(serde_json::to_value(event).map_err(failed), true)
            };
            match client.tell(&event.guest, make) {
                Ok(None) => {}
                Ok(Some(told)) => {
                    self.control.left_out += u64::from(!told.is_kept);
                    if !told.is_sent {
                        slow.push(number);
                    }
                }
                Err(_) => gone.push(number),
            }
        }
        slow.into_iter().for_each(|number| self.await_client(number, Interest::Write, None));
        gone.into_iter().for_each(|number| self.drop_client(number));
    }
}
