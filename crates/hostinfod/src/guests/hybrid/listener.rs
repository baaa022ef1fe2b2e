//! The port of a guest whose VMM connects: where the daemon listens for it.

use hostinfo_answer::{Dialect, Name};

use super::accepting::accepting;
use crate::guests::Guests;
use crate::guests::standing::cannot_be_served;
use crate::port::listener::{GuestListener, Listens, NotListening};
use crate::port::{Endpoint, Port};
use crate::reactor::Ctx;
use crate::reactor::alarms::Alarm;
use crate::reactor::id::{PortId, SectionId};
use crate::reactor::poll::Interest;
use crate::reactor::token::Token;
use crate::sockets::hybrid::Done;
use crate::sockets::listening::Listening;
use crate::system::file_error::TRY_AGAIN;

impl Guests {
    /// Adds the port of a guest that is enabled, where the daemon does not listen yet.
    pub(in crate::guests) fn add_listener(
        &mut self,
        id: SectionId,
        name: &str,
        ctx: &Ctx<'_>,
    ) -> Option<PortId> {
        let entry = self.sections.get(id)?.place.entry();
        let whole = Name::parse(&entry.whole(name)).filter(|_| entry.allows(name))?;
        let guest = match self.guest(&whole, ctx.now) {
            Ok(guest) => guest,
            Err(error) => {
                cannot_be_served(&whole, &error);
                return None;
            }
        };
        let endpoint = Endpoint::Listener(GuestListener::new(id).into());
        let port = self.roster.add_port(Port::new(guest, endpoint, Dialect::Hostinfo, ctx.now));
        self.sections.get_mut(id)?.place.ports.insert(name.to_owned(), port);
        Some(port)
    }

    /// A guest's listener accepts connections again after a pause, or is to be tried again.
    pub(in crate::guests) fn on_listener_alarm(&mut self, number: PortId, ctx: &mut Ctx<'_>) {
        let Some((port, _)) = self.roster.at(number) else { return };
        let Endpoint::Listener(listener) = &port.endpoint else { return };
        match &listener.socket {
            Some(socket) => accepting(number).wait_for(socket, Interest::Read, ctx.reactor),
            None => self.check_listener(number, ctx),
        }
    }

    /// Looks whether the daemon can listen at a guest's listener, and has it do so.
    pub(in crate::guests) fn check_listener(&mut self, number: PortId, ctx: &mut Ctx<'_>) {
        let Some((port, guest)) = self.roster.at(number) else { return };
        let Endpoint::Listener(listener) = &port.endpoint else { return };
        let Some(section) = self.sections.get_mut(listener.section) else { return };
        let name = guest.who.name().guest();
        if !section.place.entry().allows(name) {
            return self.remove_listener(number, ctx);
        }
        if listener.socket.is_none() && guest.unclosed.count() > 0 {
            return ctx.reactor.set_alarm(Alarm::Port(number), Some(ctx.now + TRY_AGAIN));
        }
        let made = listener.socket.as_ref().map(Listening::made);
        if let Some(done) = section.find(name, made, ctx.now) {
            self.listen(number, done, ctx);
        }
    }

    /// Goes on with what was done at a guest's listener. One that listens already may pause, and goes on pausing.
    pub(super) fn listen(&mut self, number: PortId, done: Done, ctx: &mut Ctx<'_>) {
        let Some((port, guest)) = self.roster.at(number) else { return };
        let Endpoint::Listener(listener) = &mut port.endpoint else { return };
        let Some(section) = self.sections.get_mut(listener.section) else { return };
        let (name, unclosed) = (guest.who.name().guest(), &guest.unclosed);
        let listens =
            listener.listen(done, section, name, &self.earlier_sockets, unclosed, ctx.now);
        let listens = match listens {
            None => return,
            Some(Ok(Listens::Nowhere)) => return self.remove_listener(number, ctx),
            Some(Ok(Listens::AsBefore)) => Ok(()),
            Some(Ok(Listens::Anew(socket))) => {
                let socket = listener.socket.insert(socket);
                let added = ctx.reactor.add(socket, Token::Port(number), Interest::Read);
                added.map_err(NotListening::from)
            }
            Some(Err(why)) => Err(why),
        };
        if listens.is_err()
            && let Some(socket) = listener.socket.take()
        {
            section.close(name, socket, ctx.now);
        }
        let again = listens.as_ref().is_err_and(NotListening::is_passing);
        let path = section.place.entry().pattern.text();
        let refusal = listens.err().map(|why| format!("[[listen]] {path}: {why}"));
        let is_told = port.refusal == refusal;
        port.refusal.clone_from(&refusal);
        if listener.socket.is_none() {
            ctx.reactor.set_alarm(Alarm::Port(number), again.then(|| ctx.now + TRY_AGAIN));
        }
        if let Some(why) = refusal.filter(|_| !is_told) {
            self.log_refused(number, &why, ctx);
        }
    }

    /// Listens at a guest's listener no more, and ends all connections that were made there.
    pub(super) fn remove_listener(&mut self, number: PortId, ctx: &mut Ctx<'_>) {
        let Some((port, guest)) = self.roster.at(number) else { return };
        let Endpoint::Listener(listener) = &mut port.endpoint else { return };
        if let Some(section) = self.sections.get_mut(listener.section) {
            let name = guest.who.name().guest();
            section.place.remove(name);
            if let Some(socket) = listener.socket.take() {
                section.close(name, socket, ctx.now);
            }
        }
        let guest = port.guest;
        let ports =
            self.ports_at(guest, |at| matches!(at, Endpoint::Accepted(at) if *at == number));
        ports.into_iter().for_each(|port| self.remove_port(port, ctx));
        self.remove_port(number, ctx);
    }

    /// Listens nowhere any more, before the daemon ends.
    pub(in crate::guests) fn stop_listening(&mut self) {
        for (_, port) in self.roster.ports.iter_mut() {
            if let Endpoint::Listener(listener) = &mut port.endpoint {
                listener.socket = None;
            }
        }
    }
}
