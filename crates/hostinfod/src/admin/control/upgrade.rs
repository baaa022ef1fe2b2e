//! Clients that ask for an upgrade: the program that takes the daemon's place answers them, or this one says why there
//! is none.

use std::os::fd::AsFd as _;

use hostinfo_control::{Refusal, answer};

use super::Control;
use super::client::Client;
use crate::reactor::Ctx;
use crate::reactor::alarms::Alarm;
use crate::system::descriptors::{Number, Outgoing};

impl Control {
    /// Whether a client has asked for an upgrade since the last call.
    pub(crate) fn take_wish_to_upgrade(&mut self) -> bool {
        std::mem::take(&mut self.wishes_upgrade)
    }

    /// Tells all clients that asked why nothing has changed.
    pub(crate) fn refuse_upgrade(&mut self, why: &str, ctx: &mut Ctx<'_>) {
        let refusal =
            Refusal::Failed { message: format!("not upgraded, and nothing has changed: {why}") };
        let reply = answer(Err(refusal), false);
        for number in self.clients.ids(Client::awaits_upgrade) {
            if let Some(client) = self.clients.get_mut(number) {
                client.stop_waiting();
            }
            if self.send(number, &reply, ctx).is_err() {
                self.hang_up(number, ctx);
            }
        }
    }

    /// Hangs up on all clients that did not ask for an upgrade.
    pub(crate) fn hang_up_on_all_but_askers(&mut self, ctx: &mut Ctx<'_>) {
        let others = self.clients.ids(|client| !client.awaits_upgrade());
        others.into_iter().for_each(|number| self.hang_up(number, ctx));
        let Self { listener: Some(listener), refused, unclosed, .. } = self else { return };
        refused.take().for_each(|client| listener.hang_up(client, unclosed, ctx.now));
        ctx.reactor.set_alarm(Alarm::Refused, None);
    }

    /// The connections of all clients that asked, which the other program answers.
    pub(crate) fn hand_over_askers<'c>(&'c self, fds: &mut Outgoing<'c>) -> Vec<Number> {
        let askers = self.clients.iter().filter(|(_, client)| client.awaits_upgrade());
        askers.map(|(_, client)| fds.add(client.as_fd())).collect()
    }
}
