//! Ports that are connected: their turns, and what follows from them.

use std::hint::black_box;

use super::Guests;
use crate::guest::Guest;
use crate::port::connection::{Connection, Phase};
use crate::port::{Endpoint, Port};
use crate::reactor::Ctx;
use crate::reactor::alarms::Alarm;
use crate::reactor::id::PortId;
use crate::reactor::token::Token;
use crate::stream::Closed;

impl Guests {
    /// Reads a little of each guest whose turn comes, and does nothing with it. Of 10,000 guests that ask at once, none is in
    /// the CPU's caches. Each turn alone would wait for its guest's memory; here the CPU fetches that of many side by side.
    pub(crate) fn prefetch(&self, ready: impl Iterator<Item = Token>) {
        for token in ready {
            let Token::Port(port) = token else { continue };
            let Some(port) = self.roster.ports.get(port) else { continue };
            black_box(port.connection.as_ref().map(|connection| {
                let Connection { stream, conversation, phase, .. } = connection;
                (*phase, stream.unsent(), conversation.has_held())
            }));
            black_box(self.roster.guests.get(port.guest).map(|guest| {
                let Guest { who, observed, meter, record, .. } = guest;
                (who.may_ask(), observed.watch.is_some(), *meter, record.counts())
            }));
        }
    }

    /// A port's connection is ready.
    pub(crate) fn turn(&mut self, number: PortId, hung_up: bool, ctx: &mut Ctx<'_>) {
        if self.roster.ports.get(number).is_some_and(Port::is_early) && !hung_up {
            self.identify_again(number, ctx);
            self.refuse_if_early(number, ctx);
        }
        let Some((port, guest)) = self.roster.at(number) else { return };
        if let Endpoint::Listener(_) = port.endpoint {
            return self.accept(number, ctx);
        }
        let Some(connection) = &mut port.connection else { return };
        // A connection that is being read ends when the input before its end was read.
        let is_over = hung_up
            && match connection.phase {
                Phase::Throttled(_) | Phase::WaitingForValue(_) => true,
                Phase::Reading | Phase::Writing(_) => false,
            };
        if !is_over && !guest.take_turn(self.round) {
            // Behind its own connections that have been waiting for longer: alarms go off in the order of
            // their times.
            return self.set_phase(number, Phase::Throttled(ctx.now), ctx);
        }
        let served = self.responder.serve(connection, guest, ctx.now);
        if let Some(due) = guest.quotas.due(ctx.now) {
            ctx.reactor.set_alarm(Alarm::LeftOut(port.guest), Some(due));
        }
        if guest.observed.watch.is_some() {
            let guest = port.guest;
            self.set_watch_alarm(guest, ctx);
        }
        match served {
            Ok(phase) if !is_over => self.set_phase(number, phase, ctx),
            Ok(_) => self.hang_up(number, Closed::Gone.why(), ctx),
            Err(closed) => self.hang_up(number, closed.why(), ctx),
        }
    }

    /// A port's alarm is due.
    pub(crate) fn on_port_alarm(&mut self, number: PortId, ctx: &mut Ctx<'_>) {
        let Some(port) = self.roster.ports.get(number) else { return };
        match port.connection.as_ref().map(|connection| connection.phase) {
            None => match port.endpoint {
                Endpoint::Socket
                | Endpoint::Channel(_)
                | Endpoint::Pattern(_)
                | Endpoint::Pty(_) => {
                    self.try_connect(number, ctx);
                }
                Endpoint::Listener(_) => self.on_listener_alarm(number, ctx),
                Endpoint::Accepted(_) | Endpoint::Vsock(_) => {}
            },
            Some(Phase::Writing(_)) => self.hang_up(number, "it does not read its reply", ctx),
            Some(Phase::Reading | Phase::Throttled(_) | Phase::WaitingForValue(_)) => {
                self.turn(number, false, ctx);
            }
        }
    }

    /// Sets what a connection is doing.
    fn set_phase(&mut self, number: PortId, phase: Phase, ctx: &mut Ctx<'_>) {
        let Some(port) = self.roster.ports.get_mut(number) else { return };
        let Some(connection) = &mut port.connection else { return };
        let before = std::mem::replace(&mut connection.phase, phase);
        if before == phase && phase == Phase::Reading {
            return;
        }
        ctx.reactor.set_alarm(Alarm::Port(number), phase.until());
        if before.interest() != phase.interest()
            && let Err(error) =
                ctx.reactor.modify(&*connection, Token::Port(number), phase.interest())
        {
            tracing::error!("cannot wait for a connection: {error}");
        }
    }

    /// Counts a query that will not be answered, since its connection ends.
    pub(super) fn charge_unanswered(&mut self, number: PortId, ctx: &Ctx<'_>) {
        if let Some((Port { connection: Some(connection), .. }, guest)) = self.roster.at(number)
            && connection.has_begun_an_answer()
        {
            guest.who.gave_up(ctx.now);
        }
    }

    /// Ends a connection, and schedules the next try.
    pub(super) fn hang_up(&mut self, number: PortId, why: &str, ctx: &mut Ctx<'_>) {
        self.charge_unanswered(number, ctx);
        let Some((port, guest)) = self.roster.at(number) else { return };
        if let Endpoint::Accepted(_) | Endpoint::Vsock(_) = port.endpoint {
            // A program in the guest that asks once makes one connection: the log tells of the VMM.
            let guest = guest.who.name().whole();
            tracing::debug!(guest, "one of the connections of guest {guest}: {why}");
            return self.remove_port(number, ctx);
        }
        guest.log_gone(why, ctx.now);
        ctx.reactor.set_alarm(Alarm::LeftOut(port.guest), guest.quotas.due(ctx.now));
        match &port.endpoint {
            Endpoint::Pty(pty) => {
                pty.flush();
                if let Some(connection) = &mut port.connection {
                    connection.restart(port.dialect, ctx.now);
                }
                self.set_phase(number, Phase::Reading, ctx);
            }
            Endpoint::Socket
            | Endpoint::Channel(_)
            | Endpoint::Pattern(_)
            | Endpoint::Listener(_)
            | Endpoint::Accepted(_)
            | Endpoint::Vsock(_) => {
                let (again, guest) = (port.drop_connection(ctx.now), port.guest);
                ctx.reactor.set_alarm(Alarm::Port(number), again);
                self.plan_for(guest, ctx);
                self.end_vsock_connections_without_port(guest, ctx);
            }
        }
    }
}
