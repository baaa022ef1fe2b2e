//! From a line to its reply.

mod preview;
mod vhostmd;
mod watch;

use std::time::{Duration, Instant, SystemTime};

use hostinfo_catalog::Scope;
use hostinfo_render::Answer;
use hostinfo_render::vhostmd::INVALID_REQUEST;
use hostinfo_sample::Host;
use hostinfo_wire::limits::NONSENSE_MAX;
use hostinfo_wire::reply::retry_after;
use hostinfo_wire::request::Names;
use hostinfo_wire::{Code, Frame, Malformed, Refusal, Reply, Request, VERSION};

use crate::admin_values::AdminValues;
use crate::allowance::Cost;
use crate::backend::Backend;
use crate::dialect::{Dialect, Protocol};
use crate::gather::gather;
use crate::libvirt::Libvirt;
use crate::list::list;
use crate::observed::Observed;
use crate::pending::{Pending, When};
use crate::requester::Requester;
use crate::select::{Pick, permitted, refused, select};
use crate::shared::{SharedReplies, are_of_host};
use crate::sources::Sources;
use crate::vhostmd::CommonParts;

/// Answers all guests. `L` asks libvirt.
pub struct Engine<L> {
    backend: Backend<L>,
    os_name: Option<String>,
    common_parts: CommonParts,
    shared: SharedReplies,
}

/// Writes the results of a query into a reply.
type Render = fn(&[Answer<'_>], &mut Reply);

impl<L: Libvirt> Engine<L> {
    /// Answers from `host`, whose operating system is `os_name`, from `libvirt`, and from what
    /// the administrator provides. The samples' grid begins at `start`.
    pub fn new(
        host: Host,
        libvirt: L,
        admin_values: AdminValues,
        os_name: Option<String>,
        start: Instant,
    ) -> Self {
        Self {
            backend: Backend { host, libvirt, admin_values, start, work: 0 },
            os_name,
            common_parts: CommonParts::default(),
            shared: SharedReplies::default(),
        }
    }

    /// When the samples' grid began.
    pub fn start(&self) -> Instant {
        self.backend.start
    }

    /// The host's own sources.
    pub fn host(&self) -> &Host {
        &self.backend.host
    }

    /// What libvirt knows.
    pub fn libvirt(&self) -> &L {
        &self.backend.libvirt
    }

    /// What libvirt knows, mutable.
    pub fn libvirt_mut(&mut self) -> &mut L {
        &mut self.backend.libvirt
    }

    /// What the administrator provides in addition to the host's figures.
    pub fn admin_values(&self) -> &AdminValues {
        &self.backend.admin_values
    }

    /// What the administrator provides, mutable.
    pub fn admin_values_mut(&mut self) -> &mut AdminValues {
        &mut self.backend.admin_values
    }

    /// Forgets the values and the faults kept for a guest that is gone, unless a value of its own is still to be kept. False
    /// if one is.
    pub fn forget(&mut self, guest: &str, now: Instant) -> bool {
        let is_forgotten = self.backend.admin_values.customs.forget(guest, now);
        if is_forgotten {
            self.backend.host.forget(guest);
        }
        is_forgotten
    }

    /// Units of work done since the last call, in turns of a [`Conversation`](crate::Conversation)
    /// or elsewhere.
    pub fn take_work(&mut self) -> u32 {
        std::mem::take(&mut self.backend.work)
    }

    /// Writes the answer to one line into `reply`. The reply stays empty if the line is dropped
    /// without an answer: nonsense, after the number of such lines in a row that are answered.
    /// `protocol` counts them.
    ///
    /// # Errors
    /// Some values are on their way, and the line has to be passed again. It has been counted: the guest's other queries
    /// are too soon.
    pub(crate) fn answer(
        &mut self,
        frame: &Frame<'_>,
        protocol: &mut Protocol,
        who: &mut Requester,
        observed: &mut Observed,
        when: When,
        reply: &mut Reply,
    ) -> Result<(), Pending> {
        reply.clear();
        self.backend.work += 1;
        if let (Dialect::Hostinfo, Frame::Line(line)) = (protocol.dialect, frame)
            && self.answer_from_shared(line, who, when.now, reply)
        {
            protocol.nonsense = 0;
            return Ok(());
        }
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
                let shared = self.reply_to(request, who, observed, when, reply)?;
                if let (Some(cost), Frame::Line(line)) = (shared, frame) {
                    let step = self.backend.moment(when.now).slot();
                    self.shared.keep(line, &who.grant, step, reply, cost);
                }
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

    /// Answers a guest with the reply that another guest under its rule got for the same line in
    /// this step. Returns false if there is no such reply, or if the guest may not have one now;
    /// the usual path then tells it why.
    fn answer_from_shared(
        &self,
        line: &[u8],
        who: &mut Requester,
        now: Instant,
        reply: &mut Reply,
    ) -> bool {
        let step = self.backend.moment(now).slot();
        let Some((shared, cost)) = self.shared.find(line, &who.grant, step) else { return false };
        let is_answered = who.may_ask() && who.wait(now).is_zero();
        if is_answered {
            who.session.asked(SystemTime::now);
            who.allowance.spend(cost, now);
            reply.clone_from(shared);
        }
        is_answered
    }

    /// Returns the cost if other guests may share the reply.
    fn reply_to(
        &mut self,
        request: Request<'_>,
        who: &mut Requester,
        observed: &mut Observed,
        when: When,
        reply: &mut Reply,
    ) -> Result<Option<Cost>, Pending> {
        use hostinfo_render::{json, openmetrics, text};
        match request {
            Request::Get(names) => return self.query(names, who, observed, when, text, reply),
            Request::Json(names) => return self.query(names, who, observed, when, json, reply),
            Request::Metrics(names) => {
                return self.query(names, who, observed, when, openmetrics, reply);
            }
            Request::List(names) => self.list(names, who, observed, when, reply)?,
            Request::Ping(None) => reply.line(Code::Done, "pong"),
            Request::Ping(Some(token)) => reply.line(Code::Done, format_args!("pong {token}")),
            Request::Version => reply.line(Code::Done, VERSION),
            Request::Help => hostinfo_render::help(reply),
            Request::Vhostmd => self.vhostmd(Dialect::Hostinfo, who, observed, when, reply)?,
        }
        Ok(None)
    }

    /// Lists what the guest may ask for, available or not.
    fn list(
        &mut self,
        names: Names<'_>,
        who: &Requester,
        observed: &mut Observed,
        when: When,
        reply: &mut Reply,
    ) -> Result<(), Pending> {
        if who.is_undecided() && who.standing.may_ask() {
            who.refuse(reply);
            return Ok(());
        }
        if !who.may_ask() || permitted(&Scope::ALL, &who.grant).next().is_none() {
            reply.refuse("list", &Refusal::NotPermitted);
            return Ok(());
        }
        let picks = self.select(names, who);
        let mut sources = Sources::new(&mut self.backend, who, observed, when);
        sources.read_ahead_of_list(&picks)?;
        list(picks, sources, reply);
        Ok(())
    }

    /// Looks up the names for a guest.
    fn select<'n>(&mut self, names: Names<'n>, who: &Requester) -> Vec<Pick<'n>> {
        let mut words = 0;
        let picks =
            select(names.iter().inspect(|_| words += 1), &who.grant, &self.backend.admin_values);
        self.backend.add_work(words);
        picks
    }

    fn query(
        &mut self,
        names: Names<'_>,
        who: &mut Requester,
        observed: &mut Observed,
        when: When,
        render: Render,
        reply: &mut Reply,
    ) -> Result<Option<Cost>, Pending> {
        if !who.may_ask() {
            who.refuse(reply);
            return Ok(None);
        }
        who.session.asked(SystemTime::now);
        let picks = self.select(names, who);
        let is_query = picks.iter().any(|pick| !matches!(pick, Pick::Refused(..)));
        let is_counted = is_query && !when.is_begun;
        let wait = if is_counted { who.wait(when.now) } else { Duration::ZERO };
        if !wait.is_zero() {
            reply.line(Code::TooSoon, retry_after(wait));
            return Ok(None);
        }
        if !is_query {
            render(&refused(picks), reply);
            return Ok(None);
        }
        let (is_of_host, failures) = (are_of_host(&picks), self.backend.host.failures());
        let mut sources = Sources::new(&mut self.backend, who, observed, when);
        let read = sources.ask(&picks).and_then(|()| sources.read_ahead_of(&picks));
        if let Err(pending) = read {
            who.begin(when);
            return Err(pending);
        }
        render(&gather(picks, &mut sources), reply);
        let cost = sources.cost();
        who.allowance.spend(cost, when.now);
        // A fault that the administrator could mend is counted each time it is met, so such a reply
        // is not shared.
        let is_shared = is_of_host && self.backend.host.failures() == failures;
        Ok(is_shared.then_some(cost))
    }
}

#[cfg(test)]
mod tests;
