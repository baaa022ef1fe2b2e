//! Guests of all transports: looking them up or adding them, and their standing.

use std::io;
use std::time::Instant;

use hostinfo_answer::{Name, Observed, Requester, Standing};
use hostinfo_domains::{Claim, Snapshot};
use hostinfo_rules::Grant;

use super::Guests;
use super::tags::{read_tags, take_tags, take_tags_anew};
use crate::audit::quota::Permit;
use crate::guest::{Guest, begin_session};
use crate::port::Endpoint;
use crate::reactor::Ctx;
use crate::reactor::alarms::Alarm;
use crate::reactor::id::GuestId;

/// Logs why a guest cannot be served.
pub(super) fn cannot_be_served(name: &Name, error: &io::Error) {
    let name = name.whole();
    tracing::error!(guest = name, "guest {name} cannot be served: {error}");
}

impl Guests {
    /// The guest with that name, which is added if it is not known.
    ///
    /// # Errors
    /// The system has no random bytes.
    pub(super) fn guest(&mut self, name: &Name, now: Instant) -> io::Result<GuestId> {
        if let Some(known) = self.roster.named(name.whole()) {
            return Ok(known);
        }
        let guest = self.make_guest(name)?;
        let engine = self.responder.engine_mut();
        Ok(self.roster.add(guest, now, |name| engine.forget(name.whole(), now)))
    }

    /// A new guest with that name, as it would be if it connected now.
    ///
    /// # Errors
    /// The system has no random bytes.
    pub(super) fn make_guest(&mut self, name: &Name) -> io::Result<Guest> {
        let (rules, libvirt) = (self.rules.rules(), self.responder.libvirt());
        let tags = read_tags(rules, libvirt, name.whole(), None, None);
        let host_id = self.identity.host_id(name.whole());
        let time_shift = self.identity.time_shift(name.whole());
        let mut observed = Observed::default();
        let (closed, session) = (Grant::closed().into(), begin_session()?);
        let mut who = Requester::new(name.clone(), closed, host_id, time_shift, session);
        who.apply_decision(rules.decide_tagged(name.whole(), &tags), &mut observed);
        let standing = libvirt.standing(name.whole(), None, None, None);
        who.set_standing(standing.unwrap_or_else(|| libvirt.unknown(name.whole(), None)));
        let mut guest = Guest::new(who);
        guest.tags = tags;
        Ok(guest)
    }

    /// Updates the standing and the tags of all guests from what libvirt now says.
    pub(super) fn update_standings(&mut self, ctx: &mut Ctx<'_>) {
        self.forget_processes_of_others(ctx);
        let (rules, libvirt) = (self.rules.rules(), self.responder.libvirt());
        let (mut changed, mut is_unwatched) = (Vec::new(), false);
        let mut is_other = Vec::new();
        for (number, guest) in self.roster.guests.iter_mut() {
            let (name, marks) = (guest.who.name().whole(), guest.marks.as_deref());
            let standing = libvirt.standing(name, guest.since, marks, guest.by_cid());
            let Some(standing) = standing else { break };
            let was_watched = guest.who.may_be_watched();
            // Without a process, nothing else tells whether it is the run whose tags were read last.
            let may_be_another = guest.who.peer().is_none() && *guest.who.standing() != standing;
            let has_other_tags = match may_be_another {
                true => take_tags_anew(guest, rules, libvirt, ctx.now),
                false => take_tags(guest, rules, libvirt, ctx.now),
            };
            is_unwatched |= was_watched && !guest.who.may_be_watched();
            if !guest.set_standing(standing, ctx.now) && !has_other_tags {
                continue;
            }
            is_other.push(number);
            if was_watched || guest.who.grant().watch() {
                changed.push(number);
            }
        }
        changed.into_iter().for_each(|number| self.plan_watch(number, ctx));
        is_other.iter().for_each(|number| self.check_disk(*number, ctx));
        let has_patterns = self.patterns.dirs().next().is_some();
        is_other.retain(|number| has_patterns || self.is_domain(*number));
        is_other.into_iter().for_each(|number| self.reconsider(number, ctx));
        if is_unwatched {
            self.drop_incidents();
        }
    }

    /// A guest has come or gone, or may be treated otherwise from now on: sees to its watch and to its metrics disk.
    pub(super) fn plan_for(&mut self, number: GuestId, ctx: &mut Ctx<'_>) {
        self.plan_watch(number, ctx);
        self.check_disk(number, ctx);
    }

    /// Forgets the processes that have had the names of domains which have come since.
    fn forget_processes_of_others(&mut self, ctx: &mut Ctx<'_>) {
        let libvirt = self.responder.libvirt();
        let guests = self.roster.guests.iter();
        let come =
            guests.filter(|(_, guest)| !matches!(guest.who.standing(), Standing::Domain(..)));
        let come = come.filter_map(|(number, guest)| {
            let (name, marks) = (guest.who.name().whole(), guest.marks.as_deref());
            match libvirt.standing(name, guest.since, marks, guest.by_cid())? {
                Standing::Domain(uuid, _) => Some((number, uuid)),
                Standing::Unnamed | Standing::Refused(_) | Standing::Awaited => None,
            }
        });
        let come: Vec<_> = come.collect();
        come.into_iter()
            .for_each(|(number, uuid)| self.forget_process_of_another(number, uuid, ctx));
    }

    /// Logs which guests go on at a port that libvirt has taken out of their running domain's XML since `before`. A QEMU that
    /// means well has hung up by then.
    pub(super) fn log_kept_ports(&mut self, before: &Snapshot, now: Instant) {
        let Some(known) = self.responder.libvirt().known().cloned() else { return };
        let own = self.roster.ports.iter().map(|(_, port)| port);
        for port in own.filter(|port| matches!(port.endpoint, Endpoint::Socket)) {
            let Some(guest) = self.roster.guests.get_mut(port.guest) else { continue };
            let name = guest.who.name().whole();
            if matches!(before.whose().of(name), Claim::Named(_))
                && matches!(known.whose().of(name), Claim::Portless(_))
                && port.connection.as_ref().is_some_and(|connection| connection.stream.is_there())
                && let Some(Permit { left_out }) = guest.quotas.own.ask(now)
            {
                tracing::warn!(
                    guest = name,
                    left_out,
                    "guest {name}: libvirt has taken the hostinfo port out of the running domain, but the process at its \
                     socket has not closed it. Its rule stays the same. To keep it from asking, write enabled = 0 into that \
                     rule, or shut the domain down. If nobody has unplugged the port, the process may have been taken over"
                );
            }
        }
    }

    /// Logs the number of lines left out about a guest, now or when it is due.
    pub(crate) fn log_left_out(&mut self, number: GuestId, ctx: &mut Ctx<'_>) {
        let Some(guest) = self.roster.guests.get_mut(number) else { return };
        guest.log_left_out(ctx.now);
        ctx.reactor.set_alarm(Alarm::LeftOut(number), guest.quotas.due(ctx.now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::fs::{self, File};
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;
    use std::sync::Arc;
    use std::time::Duration;

    use hostinfo_answer::{Dialect, Peer, VMM_UNKNOWN};
    use hostinfo_domains::examples::domain;
    use hostinfo_domains::limits::DEADLINE;
    use hostinfo_domains::{Domain, Helper, Message, Names, Tags, VERSION};
    use hostinfo_sample::{Absent, Vmm};

    use crate::guests::tests::guests;
    use crate::libvirt::Libvirt;
    use crate::port::Port;
    use crate::port::connection::Connection;
    use crate::reactor::Reactor;
    use crate::rules_file::RulesFile;
    use crate::system::watch::Watcher;

    fn hear(guests: &mut Guests, ctx: &mut Ctx<'_>, is_enough: impl Fn(&mut Guests) -> bool) {
        let begun = Instant::now();
        while !is_enough(guests) {
            assert!(begun.elapsed() < 12 * DEADLINE, "nothing comes");
            std::thread::sleep(Duration::from_millis(1));
            guests.turn_of_helper(Helper::on_ready, ctx);
        }
    }

    /// The line of the rule of the guest `a`, whose running domain has a tag, after libvirt has taken its port out of its XML;
    /// and what is logged about that.
    fn after_port_is_taken_out(has_hung_up: bool) -> (Option<usize>, String) {
        let (folder, mut reactor) = (tempfile::tempdir().unwrap(), Reactor::new().unwrap());
        let ctx = &mut reactor.now();
        let mut guests = guests(folder.path());
        let rules = "qemu-a role=restricted:\n  enabled = 0\n*:\n";
        let path = folder.path().join("hostinfo.conf");
        guests.rules = RulesFile::taken_over(Some(rules), &path, Watcher::new().unwrap()).unwrap();
        let tags = BTreeMap::from([("role".to_owned(), Some("restricted".to_owned()))]);
        let with_port = Domain { tags: Tags::Known(tags), ..domain(7, "a") };
        let portless = Domain { names: Names::default(), ..with_port.clone() };
        let said =
            [Message::Hello { version: VERSION }, Message::Domain(with_port), Message::Done(0)];
        let helper = Libvirt::helper_that_answers(&said, &[Message::Domain(portless)]);
        *guests.responder.libvirt() = Libvirt::asked_by(helper);
        guests.responder.libvirt().begin(ctx.now);
        guests.turn_of_helper(Helper::on_time, ctx);
        hear(&mut guests, ctx, |guests| guests.responder.libvirt().known().is_some());
        let number = guests.guest(&Name::parse("qemu-a").unwrap(), ctx.now).unwrap();
        let (far_end, fd) = UnixStream::pair().unwrap();
        let connection =
            Connection::new(OwnedFd::from(fd).into(), None, Dialect::Hostinfo, ctx.now);
        let port = Port::new(number, Endpoint::Socket, Dialect::Hostinfo, ctx.now);
        guests.roster.add_port(Port { connection: Some(connection), ..port });
        let _far_end = (!has_hung_up).then_some(far_end);
        let rule = |guests: &Guests| {
            let guest = guests.roster.guests.get(number).unwrap();
            assert!(!guest.who.is_undecided());
            guest.who.grant().rule().map(|rule| rule.line)
        };
        assert_eq!(rule(&guests), Some(1));
        let log = folder.path().join("log");
        let subscriber =
            tracing_subscriber::fmt().with_writer(Arc::new(File::create(&log).unwrap()));
        tracing::subscriber::with_default(subscriber.finish(), || {
            guests.responder.libvirt().helper().unwrap().look(ctx.now);
            hear(&mut guests, ctx, |guests| {
                let known = guests.responder.libvirt().known();
                matches!(known.unwrap().whose().of("qemu-a"), Claim::Portless(_))
            });
        });
        (rule(&guests), fs::read_to_string(log).unwrap())
    }

    #[test]
    fn a_process_that_came_after_libvirts_last_answer_waits_for_the_next_one_though_that_says_the_same()
     {
        let (folder, mut reactor) = (tempfile::tempdir().unwrap(), Reactor::new().unwrap());
        let ctx = &mut reactor.now();
        let mut guests = guests(folder.path());
        let said = [
            Message::Hello { version: VERSION },
            Message::Domain(domain(7, "a")),
            Message::Done(0),
        ];
        *guests.responder.libvirt() = Libvirt::asked_by(Libvirt::helper_that_says(&said));
        guests.responder.libvirt().begin(ctx.now);
        guests.turn_of_helper(Helper::on_time, ctx);
        hear(&mut guests, ctx, |guests| guests.responder.libvirt().known().is_some());
        let mut connect = |name| {
            let guest = guests.guest(&Name::parse(name).unwrap(), ctx.now).unwrap();
            let since = ctx.now + Duration::from_secs(1);
            let port = Port::new(guest, Endpoint::Socket, Dialect::Hostinfo, since);
            let number = guests.roster.add_port(port);
            guests.identify_peer(number, Err(VMM_UNKNOWN), ctx).unwrap();
            guest
        };
        let (of_domain, other) = (connect("qemu-a"), connect("qemu-b"));
        let standing = |guests: &Guests, guest: GuestId| {
            guests.roster.guests.get(guest).unwrap().who.standing().clone()
        };
        assert_eq!(standing(&guests, of_domain), Standing::Awaited);
        assert_eq!(standing(&guests, other), Standing::Unnamed);
        // What was requested before does not settle it.
        for is_settled in [false, true] {
            ctx.now += Duration::from_millis(500);
            let asked = ctx.now;
            guests.responder.libvirt().helper().unwrap().look(asked);
            hear(&mut guests, ctx, |guests| guests.responder.libvirt().is_asked_since(asked));
            let is_domain = matches!(standing(&guests, of_domain), Standing::Domain(..));
            assert_eq!(is_domain, is_settled);
        }
        assert_eq!(standing(&guests, other), Standing::Unnamed);
    }

    /// Whether whoever has connected as the guest `a`, a domain of libvirt's, may ask.
    fn may_ask_as_a_domain(peer: Result<Peer, Absent>, is_early: bool) -> bool {
        let (folder, mut reactor) = (tempfile::tempdir().unwrap(), Reactor::new().unwrap());
        let ctx = &mut reactor.now();
        let mut guests = guests(folder.path());
        let said = [
            Message::Hello { version: VERSION },
            Message::Domain(domain(7, "a")),
            Message::Done(0),
        ];
        *guests.responder.libvirt() = Libvirt::asked_by(Libvirt::helper_that_says(&said));
        guests.responder.libvirt().begin(ctx.now);
        guests.turn_of_helper(Helper::on_time, ctx);
        hear(&mut guests, ctx, |guests| guests.responder.libvirt().known().is_some());
        let guest = guests.guest(&Name::parse("qemu-a").unwrap(), ctx.now).unwrap();
        let (_far_end, fd) = UnixStream::pair().unwrap();
        let connection =
            Connection::new(OwnedFd::from(fd).into(), None, Dialect::Hostinfo, ctx.now);
        let port = Port::new(guest, Endpoint::Socket, Dialect::Hostinfo, ctx.now);
        let connection = Some(Connection { is_early, ..connection });
        let number = guests.roster.add_port(Port { connection, ..port });
        guests.identify_peer(number, peer, ctx).unwrap();
        guests.roster.guests.get_mut(guest).unwrap().since = None;
        guests.update_standings(ctx);
        // It has sent something.
        guests.turn(number, false, ctx);
        let may_ask = guests.roster.guests.get(guest).unwrap().who.standing().may_ask();
        guests.update_standings(ctx);
        assert_eq!(guests.roster.guests.get(guest).unwrap().who.standing().may_ask(), may_ask);
        may_ask
    }

    #[test]
    fn nobody_asks_as_a_domain_who_has_another_process_call_listen() {
        assert!(may_ask_as_a_domain(Err(Vmm::UNSEEN), false));
        assert!(!may_ask_as_a_domain(Err(Vmm::HANDED_ON), false));
        assert!(!may_ask_as_a_domain(Err(VMM_UNKNOWN), true));
        // It has ended since it was identified.
        let gone = Peer { pid: i32::MAX, start: Some(7) };
        assert!(!may_ask_as_a_domain(Ok(gone), false));
    }

    #[test]
    fn a_guest_that_has_libvirt_take_its_port_out_of_its_domain_keeps_the_rule_of_its_tags() {
        let (rule, log) = after_port_is_taken_out(false);
        assert_eq!(rule, Some(1));
        assert!(log.contains("guest qemu-a: libvirt has taken the hostinfo port out"), "{log}");
    }

    #[test]
    fn a_port_that_is_unplugged_and_closed_is_not_logged_as_one_that_is_not() {
        let (rule, log) = after_port_is_taken_out(true);
        assert_eq!((rule, &*log), (Some(1), ""));
    }
}
