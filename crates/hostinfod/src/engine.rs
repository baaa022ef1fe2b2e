//! A line to its reply.

use std::time::{Duration, Instant};

use hostinfo_catalog::{Scope, StatId};
use hostinfo_render::Answer;
use hostinfo_render::vhostmd::{EMPTY, INVALID_REQUEST};
use hostinfo_sample::{Host, Moment};
use hostinfo_wire::limits::NONSENSE_MAX;
use hostinfo_wire::reply::{BLOCKED, retry_after};
use hostinfo_wire::request::Names;
use hostinfo_wire::{Code, Frame, Malformed, Refusal, Reply, Request, VERSION};

use crate::dialect::Dialect;
use crate::gather::{NOT_YET, gather};
use crate::guest::Guest;
use crate::select::{Pick, permitted, select};
use crate::vhostmd;

/// Answers every guest.
pub(crate) struct Engine {
    host: Host,
    start: Instant,
    os_name: Option<String>,
}

/// How the results of a query are shown.
type Render = fn(&[Answer<'_>], &mut Reply);

impl Engine {
    /// Answers from `host`, which runs an `os_name`; its samples' grid begins at `start`.
    pub(crate) fn new(host: Host, os_name: Option<String>, start: Instant) -> Self {
        Self { host, start, os_name }
    }

    /// Fills `reply` with the answer to one line. It stays empty where the line is dropped in
    /// silence: nonsense, after as much of it as is answered. `nonsense` counts that.
    pub(crate) fn answer(
        &mut self,
        dialect: Dialect,
        frame: &Frame<'_>,
        guest: &mut Guest,
        nonsense: &mut u32,
        now: Instant,
        reply: &mut Reply,
    ) {
        reply.clear();
        let request = match frame {
            Frame::TooLong => Err(Malformed::TooLong),
            Frame::Line(line) => Request::parse(line),
        };
        let is_nonsense = match (dialect, request) {
            (_, Ok(Request::Vhostmd)) => {
                self.vhostmd(dialect, guest, now, reply);
                false
            }
            (Dialect::Vhostmd, _) => {
                reply.raw(INVALID_REQUEST.as_bytes());
                true
            }
            (Dialect::Hostinfo, Err(malformed)) => {
                reply.line(Code::NotARequest, malformed);
                true
            }
            (Dialect::Hostinfo, Ok(request)) => {
                self.reply_to(request, guest, now, reply);
                reply.is_nonsense()
            }
        };
        if !is_nonsense {
            *nonsense = 0;
        } else if *nonsense < NONSENSE_MAX {
            *nonsense += 1;
        } else {
            reply.clear();
        }
    }

    fn reply_to(
        &mut self,
        request: Request<'_>,
        guest: &mut Guest,
        now: Instant,
        reply: &mut Reply,
    ) {
        match request {
            Request::Get(names) => self.query(names, guest, now, hostinfo_render::text, reply),
            Request::Json(names) => self.query(names, guest, now, hostinfo_render::json, reply),
            Request::Metrics(names) => {
                self.query(names, guest, now, hostinfo_render::openmetrics, reply);
            }
            Request::List(names) => list(names, guest, reply),
            Request::Ping(None) => reply.line(Code::Done, "pong"),
            Request::Ping(Some(token)) => reply.line(Code::Done, format_args!("pong {token}")),
            Request::Version => reply.line(Code::Done, VERSION),
            Request::Help => hostinfo_render::help(reply),
            Request::Vhostmd => self.vhostmd(Dialect::Hostinfo, guest, now, reply),
        }
    }

    /// Whoever asks too soon gets the last document again: these clients know no 429.
    fn vhostmd(&mut self, dialect: Dialect, guest: &mut Guest, now: Instant, reply: &mut Reply) {
        if dialect == Dialect::Hostinfo && !guest.grant.enabled() {
            return reply.line(Code::NotPermitted, BLOCKED);
        }
        if guest.wait(now).is_zero() {
            let document = self.document(guest, now);
            if document != EMPTY {
                guest.answered(now);
            }
            guest.document = Some(document.into());
        }
        reply.raw(guest.document.as_deref().unwrap_or(EMPTY).as_bytes());
    }

    /// vhostmd's document for a guest, as it is now.
    pub(crate) fn document(&mut self, guest: &Guest, now: Instant) -> String {
        let at = self.moment(now);
        vhostmd::document(guest, &mut self.host, self.os_name.as_deref(), at)
    }

    fn moment(&self, now: Instant) -> Moment {
        Moment::new(now.saturating_duration_since(self.start))
    }

    fn query(
        &mut self,
        names: Names<'_>,
        guest: &mut Guest,
        now: Instant,
        render: Render,
        reply: &mut Reply,
    ) {
        if !guest.grant.enabled() {
            return reply.line(Code::NotPermitted, BLOCKED);
        }
        let picks = select(names.iter(), &guest.grant);
        let is_query = picks.iter().any(|pick| !matches!(pick, Pick::Refused(..)));
        let wait = if is_query { guest.wait(now) } else { Duration::ZERO };
        if !wait.is_zero() {
            return reply.line(Code::TooSoon, retry_after(wait));
        }
        let at = self.moment(now);
        render(&gather(picks, guest, &mut self.host, at), reply);
        reply.end();
        if reply.is_granted() {
            guest.answered(now);
        }
    }
}

/// What the guest may ask, available or not.
fn list(names: Names<'_>, guest: &Guest, reply: &mut Reply) {
    let grant = &guest.grant;
    if !grant.enabled() || permitted(&Scope::ALL, grant).next().is_none() {
        return reply.refuse("list", &Refusal::NotPermitted);
    }
    let mut listed = std::collections::HashSet::new();
    for pick in select(names.iter(), grant) {
        match pick {
            Pick::Refused(name, refusal) => reply.refuse(&name, &refusal),
            Pick::Stat(stat, instance) => {
                if listed.insert((stat, instance.clone())) {
                    hostinfo_render::list(stat, instance.as_deref(), reply);
                }
            }
            Pick::Group(name, scope) => {
                let mut rows = permitted(&scope, grant).filter(has_one_value).peekable();
                if rows.peek().is_none() {
                    reply.refuse(&name, &Refusal::Unavailable(NOT_YET.into()));
                }
                for stat in rows.filter(|stat| listed.insert((*stat, None))) {
                    hostinfo_render::list(stat, None, reply);
                }
            }
        }
    }
}

fn has_one_value(stat: &StatId) -> bool {
    !stat.stat().has_instances()
}

#[cfg(test)]
mod tests;
