//! A call to its answer.

use std::time::Instant;

use hostinfo_answer::{Name, Pending, When};
use hostinfo_control::limits::READ_DEADLINE;
use hostinfo_control::{Asked, Call, Metrics, Preview, Refusal, Request};
use hostinfo_notices::Draft;
use hostinfo_wire::Framer;
use jiff::Timestamp;
use rustix::process::Uid;
use serde_json::Value;

use crate::control::answer::{bounded, value};
use crate::control::client::is_trusted;
use crate::reactor::id::ClientId;
use crate::reactor::poll::Interest;
use crate::server::Server;
use crate::stream::Closed;

/// What becomes of a call.
enum Outcome {
    /// It is answered.
    Now(Value),
    /// It has to come again.
    Later(Pending),
    /// It is answered with events, of that guest or of all.
    Watch(Option<Box<str>>),
}

impl Server {
    /// Answers a client, or begins to.
    pub(super) fn answer_client(
        &mut self,
        number: ClientId,
        request: Request,
        pending: Option<Pending>,
        now: Instant,
    ) {
        let Some(client) = self.control.clients.get(number) else { return };
        let user = client.user();
        let outcome = match &request.what {
            Err(refusal) => Err(refusal.clone()),
            Ok(Asked::About(about)) => Ok(Outcome::Now(about.clone())),
            Ok(Asked::Call(call)) => self.call(call, request.more, user, When::of(pending, now)),
        };
        let Some(client) = self.control.clients.get_mut(number) else { return };
        let answered = match outcome {
            Ok(Outcome::Later(pending)) => {
                let until = pending.until;
                client.wait(request, pending);
                return self.await_client(number, Interest::Rest, Some(until));
            }
            Ok(Outcome::Watch(guest)) => {
                client.watch(guest);
                self.guests.set_seen(true);
                return self.await_client(number, Interest::Rest, None);
            }
            Ok(Outcome::Now(value)) => Ok(value),
            Err(refusal) => Err(refusal),
        };
        let sent = if request.oneway { Ok(true) } else { client.send(&bounded(answered), now) };
        let has_more = client.has_more();
        match sent {
            Err(Closed) => self.drop_client(number),
            Ok(true) if !has_more => self.await_client(number, Interest::Read, None),
            // Others have their turns before its next message has its own.
            Ok(true) => self.await_client(number, Interest::Rest, Some(now)),
            Ok(false) => self.await_client(number, Interest::Write, Some(now + READ_DEADLINE)),
        }
    }

    fn call(&mut self, call: &Call, more: bool, user: Uid, when: When) -> Result<Outcome, Refusal> {
        if call.changes() && !is_trusted(user) {
            let message = "only root and the user that hostinfod runs as may do that".to_owned();
            return Err(Refusal::NotPermitted { message });
        }
        let value = match call {
            Call::Watch { .. } if !more => return Err(Refusal::ExpectedMore {}),
            Call::Watch { guest } => return self.begin_to_watch(guest.as_deref(), user),
            Call::Preview { guest, line } => return self.preview(guest, line, when),
            Call::Status {} => value(self.status()),
            Call::List { after } => value(self.page(after.as_deref(), when.now)),
            Call::Stats {} => value(self.stats()),
            Call::Metrics {} => value(Metrics { text: self.metrics().to_string() }),
            Call::Explain { guest, names } => {
                value(self.explain(guest, names.as_deref(), when.now)?)
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

    fn begin_to_watch(&self, guest: Option<&str>, user: Uid) -> Result<Outcome, Refusal> {
        if let Some(message) = self.control.no_room_to_watch(user) {
            return Err(Refusal::Busy { message });
        }
        let guest = guest.map(|name| self.find_guest(name)).transpose()?;
        Ok(Outcome::Watch(guest.map(|name| name.whole().into())))
    }

    fn preview(&mut self, guest: &str, line: &str, when: When) -> Result<Outcome, Refusal> {
        let name = self.find_guest(guest)?;
        if line.contains('\n') {
            return Err(Refusal::InvalidParameter { parameter: "line".to_owned() });
        }
        let (_, who, observed) = self.for_preview(&name)?;
        let line = format!("{line}\n");
        let (mut framer, mut input) = (Framer::new(), line.as_bytes());
        let reply = match framer.next(&mut input) {
            None => String::new(),
            Some(frame) => match self.guests.engine_mut().preview(who, observed, &frame, when) {
                Err(pending) => return Ok(Outcome::Later(pending)),
                Ok(mut reply) => String::from_utf8_lossy(reply.end()).into_owned(),
            },
        };
        self.end_preview(&name);
        value(Preview { reply }).map(Outcome::Now)
    }

    /// Of a guest that is not there, nothing is kept of what the administrator's own statistics
    /// have for it alone.
    fn end_preview(&mut self, name: &Name) {
        if self.guests.roster().named(name.whole()).is_none() {
            self.guests.engine_mut().given_mut().customs.forget(name.whole());
        }
    }

    /// A client that waited for a preview is gone.
    pub(super) fn give_up_preview(&mut self, request: &Request) {
        if let Ok(Asked::Call(Call::Preview { guest, .. })) = &request.what
            && let Ok(name) = self.find_guest(guest)
        {
            self.end_preview(&name);
        }
    }
}
