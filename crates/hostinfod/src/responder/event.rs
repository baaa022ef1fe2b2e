//! The event about a guest's line and its reply, for watching clients.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use hostinfo_control::limits::WATCHED_REPLY_MAX;
use hostinfo_control::{Event, timestamp};
use hostinfo_wire::Code;
use hostinfo_wire::text::printable;

use crate::guest::Guest;

/// The event about a guest's line and its reply.
pub(crate) fn event(guest: &Guest, line: &[u8], code: Code, reply: &[u8], took: Duration) -> Event {
    let beginning = reply.get(..WATCHED_REPLY_MAX).unwrap_or(reply);
    let whole_characters = beginning.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    Event {
        at: timestamp(SystemTime::now()),
        guest: guest.who.name().whole().to_owned(),
        asked: shown(line),
        code: code as u16,
        reply: whole_characters.to_owned(),
        bytes: reply.len() as u64,
        seconds: took.as_secs_f64(),
        left_out: 0,
    }
}

/// A guest's bytes in a form that is safe for a terminal.
pub(crate) fn shown(line: &[u8]) -> String {
    printable(Cow::Owned(String::from_utf8_lossy(line).into_owned())).into_owned()
}
