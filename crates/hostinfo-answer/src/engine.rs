//! A line to its reply.

mod beside;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use hostinfo_catalog::Scope;
use hostinfo_render::Answer;
use hostinfo_render::vhostmd::INVALID_REQUEST;
use hostinfo_sample::Host;
use hostinfo_wire::limits::NONSENSE_MAX;
use hostinfo_wire::reply::{BLOCKED, retry_after};
use hostinfo_wire::request::Names;
use hostinfo_wire::{Code, Frame, Malformed, Refusal, Reply, Request, VERSION};

use crate::dialect::{Dialect, Protocol};
use crate::gather::gather;
use crate::given::Given;
use crate::libvirt::Libvirt;
use crate::list::list;
use crate::observed::Observed;
use crate::pending::{Pending, When};
use crate::select::{Pick, permitted, select};
use crate::vhostmd::Commons;
use crate::who::Who;

/// Answers every guest. `L` asks libvirt.
pub struct Engine<L> {
    pub(crate) host: Host,
    pub(crate) libvirt: L,
    pub(crate) given: Given,
    pub(crate) start: Instant,
    pub(crate) os_name: Option<Arc<str>>,
    pub(crate) commons: Commons,
    /// Units of work that were done since somebody asked: see
    /// [`TURN_WORK`](hostinfo_wire::limits::TURN_WORK).
    pub(crate) work: u32,
}

/// How the results of a query are shown.
type Render = fn(&[Answer<'_>], &mut Reply);

impl<L: Libvirt> Engine<L> {
    /// Answers from `host`, which runs an `os_name`, from `libvirt` and from what the
    /// administrator has `given`; the samples' grid begins at `start`.
    pub fn new(
        host: Host,
        libvirt: L,
        given: Given,
        os_name: Option<String>,
        start: Instant,
    ) -> Self {
        let os_name = os_name.map(Into::into);
        Self { host, libvirt, given, start, os_name, commons: Commons::default(), work: 0 }
    }

    /// The host's own sources.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// What libvirt knows.
    pub fn libvirt(&self) -> &L {
        &self.libvirt
    }

    /// The same, to be asked.
    pub fn libvirt_mut(&mut self) -> &mut L {
        &mut self.libvirt
    }

    /// What the administrator gives beside the host's figures.
    pub fn given(&self) -> &Given {
        &self.given
    }

    /// The same, to be changed.
    pub fn given_mut(&mut self) -> &mut Given {
        &mut self.given
    }

    /// Units of work that were done since this was called last, in a [`Conversation`](crate::Conversation)'s
    /// turn or beside all of them.
    pub fn take_work(&mut self) -> u32 {
        std::mem::take(&mut self.work)
    }

    /// Fills `reply` with the answer to one line. It stays empty where the line is dropped in
    /// silence: nonsense, after as much of it as is answered. `protocol` counts that.
    ///
    /// # Errors
    /// Where some values are on their way. Nothing is counted, and the line has to come again.
    pub(crate) fn answer(
        &mut self,
        frame: &Frame<'_>,
        protocol: &mut Protocol,
        who: &mut Who,
        observed: &mut Observed,
        when: When,
        reply: &mut Reply,
    ) -> Result<(), Pending> {
        reply.clear();
        self.work += 1;
        let request = match frame {
            Frame::TooLong => Err(Malformed::TooLong),
            Frame::Line(line) => Request::parse(line),
        };
        let is_nonsense = match (protocol.dialect, request) {
            (dialect, Ok(Request::Vhostmd)) => {
                self.vhostmd(dialect, who, observed, when, reply)?;
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
                self.reply_to(request, who, observed, when, reply)?;
                reply.is_nonsense()
            }
        };
        if !is_nonsense {
            protocol.nonsense = 0;
        } else if protocol.nonsense < NONSENSE_MAX {
            protocol.nonsense += 1;
        } else {
            reply.clear();
        }
        Ok(())
    }

    fn reply_to(
        &mut self,
        request: Request<'_>,
        who: &mut Who,
        observed: &mut Observed,
        when: When,
        reply: &mut Reply,
    ) -> Result<(), Pending> {
        use hostinfo_render::{json, openmetrics, text};
        match request {
            Request::Get(names) => self.query(names, who, observed, when, text, reply)?,
            Request::Json(names) => self.query(names, who, observed, when, json, reply)?,
            Request::Metrics(names) => {
                self.query(names, who, observed, when, openmetrics, reply)?;
            }
            Request::List(names) => self.list(names, who, observed, when, reply)?,
            Request::Ping(None) => reply.line(Code::Done, "pong"),
            Request::Ping(Some(token)) => reply.line(Code::Done, format_args!("pong {token}")),
            Request::Version => reply.line(Code::Done, VERSION),
            Request::Help => hostinfo_render::help(reply),
            Request::Vhostmd => self.vhostmd(Dialect::Hostinfo, who, observed, when, reply)?,
        }
        Ok(())
    }

    /// What the guest may ask, available or not.
    fn list(
        &mut self,
        names: Names<'_>,
        who: &Who,
        observed: &mut Observed,
        when: When,
        reply: &mut Reply,
    ) -> Result<(), Pending> {
        if !who.may_ask() || permitted(&Scope::ALL, &who.grant).next().is_none() {
            reply.refuse("list", &Refusal::NotPermitted);
            return Ok(());
        }
        let picks = self.select(names, who);
        let mut sources = self.sources(who, observed, when);
        sources.read_ahead_of(&picks)?;
        list(picks, sources, reply);
        Ok(())
    }

    /// What the names mean for a guest.
    fn select<'n>(&mut self, names: Names<'n>, who: &Who) -> Vec<Pick<'n>> {
        let mut words = 0;
        let picks = select(names.iter().inspect(|_| words += 1), &who.grant, &self.given);
        self.work = self.work.saturating_add(words);
        picks
    }

    fn query(
        &mut self,
        names: Names<'_>,
        who: &mut Who,
        observed: &mut Observed,
        when: When,
        render: Render,
        reply: &mut Reply,
    ) -> Result<(), Pending> {
        if !who.may_ask() {
            reply.line(Code::NotPermitted, BLOCKED);
            return Ok(());
        }
        who.session.asked(SystemTime::now());
        let picks = self.select(names, who);
        let is_query = picks.iter().any(|pick| !matches!(pick, Pick::Refused(..)));
        let wait = if is_query { who.wait(when.now) } else { Duration::ZERO };
        if !wait.is_zero() {
            reply.line(Code::TooSoon, retry_after(wait));
            return Ok(());
        }
        let mut sources = self.sources(who, observed, when);
        sources.ask(&picks)?;
        sources.read_ahead_of(&picks)?;
        render(&gather(picks, &mut sources), reply);
        let cost = sources.cost();
        who.allowance.spend(cost, when.now);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
