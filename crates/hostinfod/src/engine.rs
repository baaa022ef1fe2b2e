//! A line to its reply.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hostinfo_catalog::Scope;
use hostinfo_render::Answer;
use hostinfo_render::vhostmd::{EMPTY, INVALID_REQUEST};
use hostinfo_rules::Grant;
use hostinfo_sample::{Host, Moment};
use hostinfo_wire::limits::NONSENSE_MAX;
use hostinfo_wire::reply::{BLOCKED, retry_after};
use hostinfo_wire::request::Names;
use hostinfo_wire::{Code, Frame, Malformed, Refusal, Reply, Request, VERSION};

use crate::dialect::Dialect;
use crate::gather::gather;
use crate::guest::Guest;
use crate::libvirt::Libvirt;
use crate::select::{Pick, permitted, select};
use crate::sources::Sources;
use crate::vhostmd;

/// Answers every guest.
pub(crate) struct Engine {
    host: Host,
    /// What libvirt knows.
    pub(crate) libvirt: Libvirt,
    start: Instant,
    os_name: Option<String>,
}

/// How the results of a query are shown.
type Render = fn(&[Answer<'_>], &mut Reply);

impl Engine {
    /// Answers from `host`, which runs an `os_name`, and from `libvirt`; the samples' grid begins
    /// at `start`.
    pub(crate) fn new(
        host: Host,
        libvirt: Libvirt,
        os_name: Option<String>,
        start: Instant,
    ) -> Self {
        Self { host, libvirt, start, os_name }
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
            Request::List(names) => self.list(names, guest, now, reply),
            Request::Ping(None) => reply.line(Code::Done, "pong"),
            Request::Ping(Some(token)) => reply.line(Code::Done, format_args!("pong {token}")),
            Request::Version => reply.line(Code::Done, VERSION),
            Request::Help => hostinfo_render::help(reply),
            Request::Vhostmd => self.vhostmd(Dialect::Hostinfo, guest, now, reply),
        }
    }

    /// What the guest may ask, available or not.
    fn list(&mut self, names: Names<'_>, guest: &mut Guest, now: Instant, reply: &mut Reply) {
        if !guest.may_ask() || permitted(&Scope::ALL, &guest.grant).next().is_none() {
            return reply.refuse("list", &Refusal::NotPermitted);
        }
        let grant = Arc::clone(&guest.grant);
        self.with_sources(guest, now, |sources| list(names, &grant, sources, reply));
    }

    /// Whoever asks too soon gets the last document again: these clients know no 429.
    fn vhostmd(&mut self, dialect: Dialect, guest: &mut Guest, now: Instant, reply: &mut Reply) {
        if dialect == Dialect::Hostinfo && !guest.may_ask() {
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
    pub(crate) fn document(&mut self, guest: &mut Guest, now: Instant) -> String {
        if !guest.may_ask() {
            return EMPTY.to_owned();
        }
        let os_name = self.os_name.clone();
        let grant = Arc::clone(&guest.grant);
        self.with_sources(guest, now, |sources| {
            vhostmd::document(&grant, sources, os_name.as_deref())
        })
    }

    /// Takes the sample of a guest that its watch is due for.
    pub(crate) fn watch(&mut self, guest: &mut Guest, now: Instant) {
        let sample = self.with_sources(guest, now, |mut sources| sources.sample());
        if let Some(watch) = &mut guest.observed.watch {
            watch.push(now, sample);
        }
    }

    /// Hands out everything that values for a guest come from, as it is now.
    fn with_sources<T>(
        &mut self,
        guest: &mut Guest,
        now: Instant,
        then: impl FnOnce(Sources<'_, '_>) -> T,
    ) -> T {
        let at = Moment::new(now.saturating_duration_since(self.start));
        let mut observed = std::mem::take(&mut guest.observed);
        let result =
            then(Sources::new(guest, &mut self.host, &mut self.libvirt, &mut observed, now, at));
        guest.observed = observed;
        result
    }

    fn query(
        &mut self,
        names: Names<'_>,
        guest: &mut Guest,
        now: Instant,
        render: Render,
        reply: &mut Reply,
    ) {
        if !guest.may_ask() {
            return reply.line(Code::NotPermitted, BLOCKED);
        }
        let picks = select(names.iter(), &guest.grant);
        let is_query = picks.iter().any(|pick| !matches!(pick, Pick::Refused(..)));
        let wait = if is_query { guest.wait(now) } else { Duration::ZERO };
        if !wait.is_zero() {
            return reply.line(Code::TooSoon, retry_after(wait));
        }
        self.with_sources(guest, now, |mut sources| render(&gather(picks, &mut sources), reply));
        reply.end();
        if reply.is_granted() {
            guest.answered(now);
        }
    }
}

/// Adds a line for everything in `names` that the guest may ask.
fn list(names: Names<'_>, grant: &Grant, mut sources: Sources<'_, '_>, reply: &mut Reply) {
    let mut listed = HashSet::new();
    for pick in select(names.iter(), grant) {
        let members = match pick {
            Pick::Refused(name, refusal) => {
                reply.refuse(&name, &refusal);
                continue;
            }
            Pick::Stat(stat, instance) => vec![(stat, instance)],
            Pick::Group(name, scope) => {
                let members = sources.members(&scope);
                if members.is_empty() {
                    reply.refuse(&name, &sources.why_empty(&scope));
                }
                members
            }
        };
        for (stat, instance) in members {
            if listed.insert((stat, instance.clone())) {
                hostinfo_render::list(stat, instance.as_deref(), reply);
            }
        }
    }
}

#[cfg(test)]
mod tests;
