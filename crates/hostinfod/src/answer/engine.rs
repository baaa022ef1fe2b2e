//! A line to its reply.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use hostinfo_catalog::{Scope, StatId};
use hostinfo_render::Answer;
use hostinfo_render::vhostmd::INVALID_REQUEST;
use hostinfo_sample::{Host, Moment};
use hostinfo_wire::limits::NONSENSE_MAX;
use hostinfo_wire::reply::{BLOCKED, retry_after};
use hostinfo_wire::request::Names;
use hostinfo_wire::{Code, Frame, Malformed, Refusal, Reply, Request, VERSION};
use jiff::Timestamp;

use crate::answer::gather::gather;
use crate::answer::list::list;
use crate::answer::select::{Pick, permitted, select};
use crate::answer::sources::Sources;
use crate::given::Given;
use crate::guest::Guest;
use crate::libvirt::Libvirt;
use crate::pending::{Pending, When};
use crate::port::dialect::Dialect;

/// Answers every guest.
pub(crate) struct Engine {
    host: Host,
    /// What libvirt knows.
    pub(crate) libvirt: Libvirt,
    /// What the administrator gives beside the host's figures.
    pub(crate) given: Given,
    start: Instant,
    pub(super) os_name: Option<String>,
}

/// How the results of a query are shown.
type Render = fn(&[Answer<'_>], &mut Reply);

impl Engine {
    /// Answers from `host`, which runs an `os_name`, from `libvirt` and from what the
    /// administrator has `given`; the samples' grid begins at `start`.
    pub(crate) fn new(
        host: Host,
        libvirt: Libvirt,
        given: Given,
        os_name: Option<String>,
        start: Instant,
    ) -> Self {
        Self { host, libvirt, given, start, os_name }
    }

    /// Fills `reply` with the answer to one line. It stays empty where the line is dropped in
    /// silence: nonsense, after as much of it as is answered. `nonsense` counts that.
    ///
    /// # Errors
    /// Where some values are on their way. Nothing is counted, and the line has to come again.
    pub(crate) fn answer(
        &mut self,
        dialect: Dialect,
        frame: &Frame<'_>,
        guest: &mut Guest,
        nonsense: &mut u32,
        when: When,
        reply: &mut Reply,
    ) -> Result<(), Pending> {
        reply.clear();
        let request = match frame {
            Frame::TooLong => Err(Malformed::TooLong),
            Frame::Line(line) => Request::parse(line),
        };
        let is_nonsense = match (dialect, request) {
            (_, Ok(Request::Vhostmd)) => {
                self.vhostmd(dialect, guest, when, reply)?;
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
                self.reply_to(request, guest, when, reply)?;
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
        Ok(())
    }

    fn reply_to(
        &mut self,
        request: Request<'_>,
        guest: &mut Guest,
        when: When,
        reply: &mut Reply,
    ) -> Result<(), Pending> {
        match request {
            Request::Get(names) => self.query(names, guest, when, hostinfo_render::text, reply)?,
            Request::Json(names) => self.query(names, guest, when, hostinfo_render::json, reply)?,
            Request::Metrics(names) => {
                self.query(names, guest, when, hostinfo_render::openmetrics, reply)?;
            }
            Request::List(names) => self.list(names, guest, when, reply),
            Request::Ping(None) => reply.line(Code::Done, "pong"),
            Request::Ping(Some(token)) => reply.line(Code::Done, format_args!("pong {token}")),
            Request::Version => reply.line(Code::Done, VERSION),
            Request::Help => hostinfo_render::help(reply),
            Request::Vhostmd => self.vhostmd(Dialect::Hostinfo, guest, when, reply)?,
        }
        Ok(())
    }

    /// What the guest may ask, available or not.
    fn list(&mut self, names: Names<'_>, guest: &mut Guest, when: When, reply: &mut Reply) {
        if !guest.may_ask() || permitted(&Scope::ALL, &guest.grant).next().is_none() {
            return reply.refuse("list", &Refusal::NotPermitted);
        }
        let grant = Arc::clone(&guest.grant);
        let picks = select(names.iter(), &grant, &self.given);
        self.with_sources(guest, when, |sources| list(picks, sources, reply));
    }

    /// What a guest would get for a line, to the byte, if its interval let it ask now. Nothing is
    /// counted against it.
    ///
    /// # Errors
    /// Where some of it is on its way.
    pub(crate) fn preview(
        &mut self,
        guest: &Guest,
        frame: &Frame<'_>,
        when: When,
    ) -> Result<Reply, Pending> {
        let mut reply = Reply::new();
        let (mut double, mut nonsense) = (guest.double(), 0);
        self.answer(Dialect::Hostinfo, frame, &mut double, &mut nonsense, when, &mut reply)?;
        Ok(reply)
    }

    /// The instances of these rows that there are for a guest now.
    pub(crate) fn instances(
        &mut self,
        guest: &Guest,
        stats: impl Iterator<Item = StatId>,
        now: Instant,
    ) -> HashMap<StatId, Vec<String>> {
        let mut double = guest.double();
        self.with_sources(&mut double, now.into(), |mut sources| {
            stats.map(|stat| (stat, sources.instances(stat))).collect()
        })
    }

    /// Forgets what was had, and what was not, for a guest that is gone.
    pub(crate) fn forget(&mut self, guest: &str) {
        self.host.forget(guest);
        self.given.customs.forget(guest);
    }

    /// The host's own sources.
    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    /// Takes the sample of a guest that its watch is due for, and judges it.
    pub(crate) fn watch(&mut self, guest: &mut Guest, now: Instant) {
        let sample = self.with_sources(guest, now.into(), |mut sources| sources.sample());
        let key = guest.key();
        let Some(watch) = &mut guest.observed.watch else { return };
        watch.push(now, sample);
        if let (Some(period), Some(key)) = (watch.period(), key) {
            guest.observed.held.of_mut(key).judge(&period, Timestamp::now());
        }
    }

    /// Hands out everything that values for a guest come from, as it is now.
    pub(super) fn with_sources<T>(
        &mut self,
        guest: &mut Guest,
        when: When,
        then: impl FnOnce(Sources<'_, '_>) -> T,
    ) -> T {
        let at = Moment::new(when.now.saturating_duration_since(self.start));
        let mut observed = std::mem::take(&mut guest.observed);
        let Self { host, libvirt, given, .. } = self;
        let result = then(Sources::new(guest, host, libvirt, given, &mut observed, when, at));
        guest.observed = observed;
        result
    }

    fn query(
        &mut self,
        names: Names<'_>,
        guest: &mut Guest,
        when: When,
        render: Render,
        reply: &mut Reply,
    ) -> Result<(), Pending> {
        if !guest.may_ask() {
            reply.line(Code::NotPermitted, BLOCKED);
            return Ok(());
        }
        guest.session.asked(SystemTime::now());
        let picks = select(names.iter(), &guest.grant, &self.given);
        let is_query = picks.iter().any(|pick| !matches!(pick, Pick::Refused(..)));
        let wait = if is_query { guest.wait(when.now) } else { Duration::ZERO };
        if !wait.is_zero() {
            reply.line(Code::TooSoon, retry_after(wait));
            return Ok(());
        }
        let cost = self.with_sources(guest, when, |mut sources| {
            sources.ask(&picks)?;
            render(&gather(picks, &mut sources), reply);
            Ok(sources.cost())
        })?;
        guest.allowance.spend(cost, when.now);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
