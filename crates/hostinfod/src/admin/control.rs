//! The control socket in the loop: who is let in, and who has to wait outside.

mod client;
mod refused;
mod room;
mod turns;
mod watchers;

use std::io;
use std::time::SystemTime;

use hostinfo_control::{Refusal, answer};

use super::listener::Listener;
use super::unix_socket::UnixSocket;
use crate::reactor::alarms::Alarm;
use crate::reactor::id::{ClientId, Table};
use crate::reactor::poll::Interest;
use crate::reactor::token::Token;
use crate::reactor::{Ctx, Reactor};
use crate::settings;
use crate::system::credentials::Credentials;

use client::Client;
use refused::Refused;

/// What the log calls it.
const SOCKET: &str = "the control socket";

/// The socket, and those who are connected to it.
pub(crate) struct Control {
    settings: settings::Control,
    listener: Option<Listener>,
    clients: Table<ClientId, Client>,
    /// Who is told that there is no room.
    refused: Refused,
    /// When the daemon started.
    since: SystemTime,
    /// Events that watchers were not told.
    left_out: u64,
}

/// What there is to say of it.
#[derive(Clone, Copy)]
pub(crate) struct State {
    /// When the daemon started.
    pub(super) since: SystemTime,
    /// How many are connected.
    pub(super) clients: u64,
    /// How many events watchers were not told.
    pub(super) left_out: u64,
}

impl Control {
    /// Opens the socket. Guests are served without it too: where that fails, the log says so.
    ///
    /// # Errors
    /// Where it cannot be waited for.
    pub(crate) fn open(settings: settings::Control, reactor: &Reactor) -> io::Result<Self> {
        let (listener, clients, refused) = (None, Table::default(), Refused::default());
        let since = SystemTime::now();
        let mut control = Self { settings, listener, clients, refused, since, left_out: 0 };
        control.listen(reactor)?;
        Ok(control)
    }

    fn listen(&mut self, reactor: &Reactor) -> io::Result<()> {
        match UnixSocket::open(&self.settings) {
            Ok(socket) => {
                let (socket, token) = (Box::new(socket), Token::Control);
                let listener = Listener::new(SOCKET, socket, token, Alarm::Door, reactor)?;
                self.listener = Some(listener);
            }
            Err(error) => tracing::error!("{error}; guests are served without a control socket"),
        }
        Ok(())
    }

    /// Tries again to open the socket, where there is none.
    pub(crate) fn look_for_the_socket(&mut self, reactor: &Reactor) {
        if self.listener.is_none()
            && let Err(error) = self.listen(reactor)
        {
            tracing::error!("cannot wait for {SOCKET}: {error}");
        }
    }

    /// What there is to say of it.
    pub(crate) fn state(&self) -> State {
        let Self { since, left_out, .. } = *self;
        State { since, clients: self.clients.len() as u64, left_out }
    }

    /// Somebody connects.
    pub(crate) fn let_in(&mut self, ctx: &mut Ctx<'_>) {
        let fd = self.listener.as_ref().and_then(|listener| listener.accept(ctx));
        let Some((user, fd)) = fd.and_then(|fd| Some((Credentials::of(&fd)?.uid, fd))) else {
            return;
        };
        if let Some(message) = self.no_room(user) {
            let reason = answer(Err(Refusal::Busy { message }), false);
            let until = self.refused.add(fd, &reason, ctx.now);
            return ctx.reactor.set_alarm(Alarm::Refused, until);
        }
        let number = self.clients.insert(Client::new(fd, user));
        let Some(client) = self.clients.get(number) else { return };
        if let Err(error) = ctx.reactor.add(client, Token::Client(number), Interest::Read) {
            tracing::error!("cannot wait for a client of the control socket: {error}");
            self.clients.remove(number);
        }
    }

    /// People are let in again.
    pub(crate) fn resume(&self, ctx: &Ctx<'_>) {
        self.listener.iter().for_each(|listener| listener.resume(ctx));
    }

    /// Whoever was refused has had the time to read why.
    pub(crate) fn hang_up_on_refused(&mut self, ctx: &mut Ctx<'_>) {
        let until = self.refused.hang_up(ctx.now);
        ctx.reactor.set_alarm(Alarm::Refused, until);
    }
}
