//! The control socket in the loop: listens, and accepts clients or refuses them. `room` says which there is room for,
//! `turns` answers them.

mod client;
mod refused;
mod room;
mod turns;
mod upgrade;
mod watchers;

use std::io;
use std::time::SystemTime;

use hostinfo_control::{Refusal, answer};
use hostinfo_peer::Unclosed;

use super::listener::{Listener, Socket};
use super::unix_socket::{Inherited, UnixSocket};
use crate::handover::ListenerState;
use crate::reactor::alarms::Alarm;
use crate::reactor::id::{ClientId, Table};
use crate::reactor::poll::Interest;
use crate::reactor::token::Token;
use crate::reactor::{Ctx, Reactor};
use crate::settings;
use crate::system::credentials::Credentials;
use crate::system::descriptors::Outgoing;

use client::Client;
use refused::Refused;

/// Its name in the log.
const SOCKET: &str = "the control socket";

/// The socket and its clients.
pub(crate) struct Control {
    settings: settings::Control,
    listener: Option<Listener>,
    clients: Table<ClientId, Client>,
    /// Clients that are being told that there is no room.
    refused: Refused,
    /// When the daemon started.
    since: SystemTime,
    /// Events that were left out for watching clients.
    left_out: u64,
    /// A client has just asked for an upgrade.
    wishes_upgrade: bool,
    /// Work done in this round. A call that is answered counts for as much as a round may do,
    /// [`ROUND_WORK`](hostinfo_wire::limits::ROUND_WORK).
    work: u32,
    /// What clients have left to be closed.
    unclosed: Unclosed,
}

/// What the program before this one has handed over of its control socket. If there was none, it has no socket.
pub(crate) struct Before {
    pub(crate) socket: Option<Inherited>,
    /// When the daemon started.
    pub(crate) since: SystemTime,
    /// Events that were left out for watching clients.
    pub(crate) left_out: u64,
}

/// The control socket's own state, for `status` and the metrics.
#[derive(Clone, Copy)]
pub(crate) struct State {
    /// When the daemon started.
    pub(crate) since: SystemTime,
    /// Number of connected clients.
    pub(super) clients: u64,
    /// Events that were left out for watching clients.
    pub(crate) left_out: u64,
}

impl Control {
    /// Opens the socket. If that fails, the log says so, and guests are served without it.
    ///
    /// # Errors
    /// The socket cannot be added to the reactor.
    pub(crate) fn open(
        settings: settings::Control,
        before: Before,
        reactor: &Reactor,
    ) -> io::Result<Self> {
        let Before { socket, since, left_out } = before;
        let mut control = Self {
            settings,
            listener: None,
            clients: Table::default(),
            refused: Refused::default(),
            since,
            left_out,
            wishes_upgrade: false,
            work: 0,
            unclosed: Unclosed::default(),
        };
        control.listen(socket, reactor)?;
        Ok(control)
    }

    fn listen(&mut self, before: Option<Inherited>, reactor: &Reactor) -> io::Result<()> {
        match UnixSocket::open(&self.settings, before) {
            Ok(socket) => {
                let (socket, token) = (Socket::Unix(socket), Token::Control);
                let listener = Listener::new(SOCKET, socket, token, Alarm::Control, reactor)?;
                self.listener = Some(listener);
            }
            Err(error) => tracing::error!(
                "{error}; guests are served without a control socket, and SIGHUP makes hostinfod try again"
            ),
        }
        Ok(())
    }

    /// Tries again to open the socket if it is not open.
    pub(crate) fn look_for_the_socket(&mut self, reactor: &Reactor) {
        if self.listener.is_none()
            && let Err(error) = self.listen(None, reactor)
        {
            tracing::error!("cannot wait for {SOCKET}: {error}");
        }
    }

    /// What another program goes on with of the socket.
    pub(crate) fn hand_over<'c>(&'c self, fds: &mut Outgoing<'c>) -> Option<ListenerState> {
        self.listener.as_ref().map(|listener| listener.hand_over(fds))
    }

    /// The socket's state.
    pub(crate) fn state(&self) -> State {
        let Self { since, left_out, .. } = *self;
        State { since, clients: self.clients.len() as u64, left_out }
    }

    /// A client connects.
    pub(crate) fn accept(&mut self, ctx: &mut Ctx<'_>) {
        let fd = self.listener.as_mut().and_then(|listener| listener.accept(&self.unclosed, ctx));
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

    /// Accepts clients again after a pause.
    pub(crate) fn resume(&self, ctx: &Ctx<'_>) {
        self.listener.iter().for_each(|listener| listener.resume(ctx));
    }

    /// Closes the connection of a client.
    fn hang_up(&mut self, number: ClientId, ctx: &mut Ctx<'_>) {
        ctx.reactor.set_alarm(Alarm::Client(number), None);
        if let (Some(client), Some(listener)) = (self.clients.remove(number), &mut self.listener) {
            listener.hang_up(client, &self.unclosed, ctx.now);
        }
    }

    /// Closes the connections of refused clients that have had time to read the reason.
    pub(crate) fn hang_up_on_refused(&mut self, ctx: &mut Ctx<'_>) {
        let until = self.refused.hang_up(ctx.now);
        ctx.reactor.set_alarm(Alarm::Refused, until);
    }
}
