//! The control socket in the loop: who is let in, and whose turn it is.
//!
//! A client has a turn as a guest has one: at most one message is answered in it, so neither holds
//! up the other. What can be asked is in `hostinfo-control`, what is answered in `answers`.

mod answers;
mod explain;
mod guests;
mod host_state;
mod notices;
mod overview;
mod watchers;

use std::time::{Duration, Instant};

use hostinfo_control::limits::READ_DEADLINE;
use hostinfo_control::{Refusal, answer};
use rustix::io::Errno;

use super::Server;
use crate::control::client::{Client, Next};
use crate::reactor::alarms::Alarm;
use crate::reactor::id::ClientId;
use crate::reactor::poll::Interest;
use crate::reactor::token::Token;
use crate::stream::Closed;

/// How long nobody is let in where there are no descriptors left.
const PAUSE: Duration = Duration::from_secs(1);

impl Server {
    /// Tries again to open the socket, where there is none.
    pub(crate) fn look_for_the_control_socket(&mut self) {
        if self.control.door().is_none() {
            self.control.open_door();
            let added = self
                .control
                .door()
                .map(|door| self.reactor.add(door, Token::Control, Interest::Read));
            if let Some(Err(error)) = added {
                tracing::error!("cannot wait for the control socket: {error}");
            }
        }
    }

    /// Somebody knocks at the control socket.
    pub(crate) fn let_in(&mut self) {
        let Some(door) = self.control.door() else { return };
        let (fd, user) = match door.accept() {
            Ok(accepted) => accepted,
            Err(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => {
                self.reactor.set_alarm(Alarm::Door, Some(Instant::now() + PAUSE));
                return self.change_interest_of_the_door(Interest::Rest);
            }
            Err(_) => return,
        };
        if let Some(message) = self.control.no_room(user) {
            let reason = answer(Err(Refusal::Busy { message }), false);
            let until = self.control.refused.add(fd, &reason, Instant::now());
            return self.reactor.set_alarm(Alarm::Refused, until);
        }
        let number = self.control.clients.insert(Client::new(fd, user));
        let Some(client) = self.control.clients.get(number) else { return };
        if let Err(error) = self.reactor.add(client, Token::Client(number), Interest::Read) {
            tracing::error!("cannot wait for a client of the control socket: {error}");
            self.drop_client(number);
        }
    }

    /// Whoever was refused has had the time to read why.
    pub(crate) fn hang_up_on_refused(&mut self, now: Instant) {
        let until = self.control.refused.hang_up(now);
        self.reactor.set_alarm(Alarm::Refused, until);
    }

    /// People are let in again.
    pub(crate) fn open_the_door(&mut self) {
        self.change_interest_of_the_door(Interest::Read);
    }

    fn change_interest_of_the_door(&self, interest: Interest) {
        let Some(door) = self.control.door() else { return };
        if let Err(error) = self.reactor.modify(door, Token::Control, interest) {
            tracing::error!("cannot wait for the control socket: {error}");
        }
    }

    /// Something has come about on a client's connection.
    pub(crate) fn client_is_ready(&mut self, number: ClientId, hung_up: bool) {
        let Some(client) = self.control.clients.get(number) else { return };
        match client.interest {
            Interest::Read => self.client_turn(number),
            // What it asked before it went, and wants no answer to, is done all the same.
            Interest::Rest if client.may_go_on() => {}
            Interest::Rest | Interest::Write if hung_up => self.drop_client(number),
            Interest::Rest | Interest::Write => self.client_turn(number),
        }
    }

    /// A client may go on, or has not read for too long.
    pub(crate) fn client_rings(&mut self, number: ClientId) {
        match self.control.clients.get(number).map(|client| client.interest) {
            None | Some(Interest::Write) => self.drop_client(number),
            Some(Interest::Read | Interest::Rest) => self.client_turn(number),
        }
    }

    /// Values may have come that previews wait for.
    pub(crate) fn wake_previews(&mut self, now: Instant) {
        for (number, client) in self.control.clients.iter() {
            if client.waits() {
                self.reactor.set_alarm(Alarm::Client(number), Some(now));
            }
        }
    }

    fn client_turn(&mut self, number: ClientId) {
        let now = Instant::now();
        let Some(client) = self.control.clients.get_mut(number) else { return };
        match client.turn() {
            Ok(Next::Answer(request, asked)) => self.answer_client(number, request, asked, now),
            Ok(Next::WhenRead) => self.await_client(number, Interest::Read, None),
            Ok(Next::WhenWritten(since)) => {
                self.await_client(
                    number,
                    Interest::Write,
                    since.map(|since| since + READ_DEADLINE),
                );
            }
            Ok(Next::WhenSomethingIsSeen) => self.await_client(number, Interest::Rest, None),
            Err(Closed) => self.drop_client(number),
        }
    }

    /// Waits for something on a client's connection.
    fn await_client(&mut self, number: ClientId, interest: Interest, alarm: Option<Instant>) {
        self.reactor.set_alarm(Alarm::Client(number), alarm);
        let Some(client) = self.control.clients.get_mut(number) else { return };
        if client.interest != interest {
            client.interest = interest;
            if let Err(error) = self.reactor.modify(&*client, Token::Client(number), interest) {
                tracing::error!("cannot wait for a client of the control socket: {error}");
            }
        }
    }

    fn drop_client(&mut self, number: ClientId) {
        let gone = self.control.clients.remove(number);
        if let Some(request) = gone.and_then(Client::waits_for) {
            self.give_up_preview(&request);
        }
        self.reactor.set_alarm(Alarm::Client(number), None);
        self.guests.set_seen(self.control.clients.iter().any(|(_, client)| client.watches()));
    }
}
