//! Sockets that the daemon's own user may not open: hostinfo-open is asked for them, one after the other.

use std::io;

use hostinfo_open::{ANSWER_WITHIN, Request};
use hostinfo_peer::PeerSocket;

use super::Guests;
use crate::port::{Endpoint, Port};
use crate::reactor::Ctx;
use crate::reactor::alarms::Alarm;
use crate::reactor::id::PortId;
use crate::reactor::poll::Interest;
use crate::reactor::token::Token;
use crate::sockets::ConnectError;

impl Guests {
    /// A port's socket may not be opened.
    pub(super) fn ask_opener(&mut self, number: PortId, ctx: &mut Ctx<'_>) {
        self.patterns.opener.add(number);
        self.ask_next(ctx);
    }

    /// hostinfo-open has answered, or hung up.
    pub(crate) fn opener_is_ready(&mut self, ctx: &mut Ctx<'_>) {
        let Some((number, asked, answer)) = self.patterns.opener.answer() else { return };
        // Another port may have that number by now.
        if self.request(number).is_some_and(|request| request == asked) {
            self.opened(number, answer, ctx);
        }
        self.ask_next(ctx);
    }

    /// A port's socket was opened, or was not.
    fn opened(
        &mut self,
        number: PortId,
        opened: Result<PeerSocket, ConnectError>,
        ctx: &mut Ctx<'_>,
    ) {
        let Some((_, guest)) = self.roster.at(number) else { return };
        let unclosed = guest.unclosed.clone();
        let opened = opened.map(|socket| socket.counted_in(unclosed));
        if self.roster.ports.get(number).is_some_and(Port::is_early) {
            // It is served already: what was missing is who has its socket by now.
            if let Ok(socket) = opened {
                self.identify_by(number, &socket, ctx);
            }
            return;
        }
        let file = self.pattern_of(number).and_then(|(pattern, name)| {
            let pattern = self.patterns.dirs.get_mut(pattern)?;
            Some(pattern.find(&name, ctx.now)?.ok()?.1)
        });
        self.dialled(number, opened.map(|socket| (socket, file)), ctx);
    }

    /// hostinfo-open has not answered in time.
    pub(crate) fn give_up_on_opener(&mut self, ctx: &mut Ctx<'_>) {
        if let Some(number) = self.patterns.opener.give_up() {
            let late = "hostinfo-open does not answer: see its log, journalctl -u hostinfo-open";
            self.opened(number, Err(ConnectError::Failed(io::Error::other(late))), ctx);
        }
        self.ask_next(ctx);
    }

    /// Before another program takes this one's place: hangs up on hostinfo-open. It is asked again there, or here if this
    /// program goes on after all.
    pub(crate) fn hang_up_on_opener(&mut self, ctx: &mut Ctx<'_>) {
        if let Some(number) = self.patterns.opener.give_up() {
            self.patterns.opener.add(number);
            ctx.reactor.set_alarm(Alarm::Opener, Some(ctx.now));
        }
    }

    fn ask_next(&mut self, ctx: &mut Ctx<'_>) {
        while let Some(number) = self.patterns.opener.next() {
            let Some(request) = self.request(number) else { continue };
            let asked = self.patterns.opener.ask(number, request);
            let waits = asked.and_then(|connection| match connection {
                Some(new) => {
                    let added = ctx.reactor.add(new, Token::Opener, Interest::Read);
                    added.map_err(ConnectError::Failed)
                }
                None => Ok(()),
            });
            match waits {
                Ok(()) => {
                    return ctx.reactor.set_alarm(Alarm::Opener, Some(ctx.now + ANSWER_WITHIN));
                }
                Err(refused) => {
                    self.patterns.opener.give_up();
                    self.opened(number, Err(refused), ctx);
                }
            }
        }
        self.patterns.opener.hang_up();
        if self.patterns.opener.is_idle() {
            ctx.reactor.set_alarm(Alarm::Opener, None);
        }
    }

    /// What is to be asked for a port; `None` where nothing is, any more.
    fn request(&self, number: PortId) -> Option<Request> {
        let (pattern, name) = self.pattern_of(number)?;
        let entry = self.patterns.dirs.get(pattern)?.entry();
        let (pattern, driver) = (entry.pattern.text().to_owned(), entry.driver.clone());
        Some(Request { pattern, driver, name })
    }

    /// The pattern and the name of a port that is not connected, or whose peer is still libvirt.
    fn pattern_of(&self, number: PortId) -> Option<(crate::reactor::id::PatternId, String)> {
        let port = self.roster.ports.get(number)?;
        if port.connection.is_some() && !port.is_early() {
            return None;
        }
        let Endpoint::Pattern(pattern) = port.endpoint else { return None };
        let guest = self.roster.guests.get(port.guest)?;
        Some((pattern, guest.who.name().guest().to_owned()))
    }
}
