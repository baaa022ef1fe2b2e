//! The daemon as an administrator sees it: from a call to its answer. The files below handle one
//! subject each.

pub(super) mod answer;
mod explain;
mod figures;
mod guests;
mod host_state;
mod notices;
mod overview;

use std::rc::Rc;

use hostinfo_answer::{Pending, When};
use hostinfo_control::{Call, Metrics, Place, Preview, Refusal};
use hostinfo_notices::Draft;
use hostinfo_wire::Framer;
use jiff::Timestamp;
use rustix::process::Uid;
use serde_json::Value;

use super::control::State;
use crate::guests::Guests;
use crate::logging::Logging;
use crate::settings::file::SettingsFile;

use answer::{failed, value};

/// What an administrator asks about and changes.
pub(crate) struct Daemon<'d> {
    pub(crate) guests: &'d mut Guests,
    pub(crate) settings: &'d SettingsFile,
    pub(crate) logging: &'d Logging,
    /// State of the control socket itself.
    pub(crate) socket: State,
    /// Where `[metrics]` listens.
    pub(crate) metrics: Option<Rc<Place>>,
}

/// The outcome of a call.
pub(super) enum Outcome {
    /// This is the answer.
    Now(Value),
    /// Try again later.
    Later(Pending),
    /// The answer comes from the program that takes the daemon's place.
    Upgrade,
    /// The answer is events, of that guest or of all.
    Watch(Option<Box<str>>),
}

impl Daemon<'_> {
    /// Makes that user's call.
    pub(super) fn call(&mut self, call: &Call, user: Uid, when: When) -> Result<Outcome, Refusal> {
        let value = match call {
            Call::Watch { guest } => {
                let guest = guest.as_deref().map(|name| self.find_guest(name)).transpose()?;
                return Ok(Outcome::Watch(guest.map(|name| name.whole().into())));
            }
            Call::Preview { guest, line } => return self.preview(guest, line, when),
            Call::Upgrade {} => return Ok(Outcome::Upgrade),
            Call::Status {} => value(self.status()),
            Call::List { after } => value(self.page(after.as_deref(), when.now)),
            Call::Stats {} => value(self.stats()),
            Call::Metrics {} => value(Metrics { text: self.metrics().to_string() }),
            Call::Explain { guest, names } => {
                let guest = self.find_guest(guest)?;
                if let Err(pending) = self.guests.read_ahead(&guest, when) {
                    return Ok(Outcome::Later(pending));
                }
                value(self.explain(&guest, names.as_deref(), when.now)?)
            }
            Call::Rules {} => value(self.rules_in_force()),
            Call::NoticeSet { pattern, kind, text, at, until } => {
                let (pattern, text) = (pattern.clone(), text.clone());
                let at = at.unwrap_or_else(Timestamp::now);
                value(
                    self.set_notice(Draft { pattern, kind: *kind, at, until: *until, text }, user)?,
                )
            }
            Call::NoticeList {} => value(self.notices()),
            Call::NoticeClear { ids } => value(self.clear_notices(ids.as_deref(), user)?),
            Call::HostStateGet {} => value(self.host_state()),
            Call::HostStateSet { state, text } => {
                value(self.set_host_state(*state, text.as_deref(), user)?)
            }
        };
        value.map(Outcome::Now)
    }

    fn preview(&mut self, guest: &str, line: &str, when: When) -> Result<Outcome, Refusal> {
        let name = self.find_guest(guest)?;
        if line.contains('\n') {
            return Err(Refusal::InvalidParameter { parameter: "line".to_owned() });
        }
        if let Err(pending) = self.guests.read_ahead(&name, when) {
            return Ok(Outcome::Later(pending));
        }
        let line = format!("{line}\n");
        let (mut framer, mut input) = (Framer::new(), line.as_bytes());
        let reply = match framer.next(&mut input) {
            None => String::new(),
            Some(frame) => match self.guests.preview(&name, &frame, when).map_err(failed)? {
                Err(pending) => return Ok(Outcome::Later(pending)),
                Ok(mut reply) => String::from_utf8_lossy(reply.end()).into_owned(),
            },
        };
        value(Preview { reply }).map(Outcome::Now)
    }

    /// Sets whether each line and its reply is kept for watching clients.
    pub(super) fn keep_events(&mut self, keep: bool) {
        self.guests.keep_events(keep);
    }
}
