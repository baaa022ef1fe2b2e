//! The turns of the control socket's clients. As for guests, at most one message is answered in a
//! turn, so that no client holds up another, and one in a round, so that clients do not hold up guests.

use hostinfo_answer::{Pending, When};
use hostinfo_control::{Asked, Call, Refusal, Request};
use hostinfo_wire::limits::ROUND_WORK;
use rustix::process::Uid;

use super::Control;
use super::client::{Client, Next, Wait, is_trusted};
use crate::admin::daemon::answer::bounded;
use crate::admin::daemon::{Daemon, Outcome};
use crate::reactor::Ctx;
use crate::reactor::alarms::Alarm;
use crate::reactor::id::ClientId;
use crate::reactor::poll::Interest;
use crate::stream::Closed;

impl Control {
    /// A client's connection is ready.
    pub(crate) fn on_ready(
        &mut self,
        number: ClientId,
        hung_up: bool,
        daemon: &mut Daemon<'_>,
        ctx: &mut Ctx<'_>,
    ) {
        let has_room = self.work == 0;
        let Some(client) = self.clients.get_mut(number) else { return };
        match client.interest() {
            Interest::Read if !has_room => client.put_off(number, ctx),
            Interest::Read => self.turn(number, daemon, ctx),
            // A request without a reply is carried out even if the client has gone since.
            Interest::None if client.may_go_on() => {}
            Interest::None | Interest::Write if hung_up => self.drop_client(number, daemon, ctx),
            Interest::None | Interest::Write => self.turn(number, daemon, ctx),
        }
    }

    /// A client may continue, or has not read for too long.
    pub(crate) fn on_alarm(
        &mut self,
        number: ClientId,
        daemon: &mut Daemon<'_>,
        ctx: &mut Ctx<'_>,
    ) {
        match self.clients.get(number).map(Client::interest) {
            None | Some(Interest::Write) => self.drop_client(number, daemon, ctx),
            Some(Interest::Read | Interest::None) => self.turn(number, daemon, ctx),
        }
    }

    /// Values that previews wait for may have arrived.
    pub(crate) fn wake_previews(&self, ctx: &mut Ctx<'_>) {
        for (number, _) in self.clients.iter().filter(|(_, client)| client.waits()) {
            ctx.reactor.set_alarm(Alarm::Client(number), Some(ctx.now));
        }
    }

    /// Units of work done for clients' calls since this was last asked.
    pub(crate) fn take_work(&mut self) -> u32 {
        std::mem::take(&mut self.work)
    }

    fn turn(&mut self, number: ClientId, daemon: &mut Daemon<'_>, ctx: &mut Ctx<'_>) {
        let Some(client) = self.clients.get_mut(number) else { return };
        match client.turn() {
            Ok(Next::Answer(request, asked)) => self.answer(number, request, asked, daemon, ctx),
            Ok(Next::Wait(wait)) => client.await_turn(number, wait, ctx),
            Err(_) => self.drop_client(number, daemon, ctx),
        }
    }

    /// Answers a client, or begins to.
    fn answer(
        &mut self,
        number: ClientId,
        request: Request,
        pending: Option<Pending>,
        daemon: &mut Daemon<'_>,
        ctx: &mut Ctx<'_>,
    ) {
        self.work = self.work.saturating_add(ROUND_WORK);
        let Some(client) = self.clients.get(number) else { return };
        let (user, when) = (client.user(), When::of(pending, ctx.now));
        let outcome = match &request.what {
            Err(refusal) => Err(refusal.clone()),
            Ok(Asked::About(about)) => Ok(Outcome::Now(about.clone())),
            Ok(Asked::Call(call)) => {
                let may_call = self.may_call(call, request.more, user);
                may_call.and_then(|()| daemon.call(call, user, when))
            }
        };
        let Some(client) = self.clients.get_mut(number) else { return };
        let answered = match outcome {
            Ok(Outcome::Later(pending)) => {
                let until = pending.until;
                client.wait(request, pending);
                return client.await_turn(number, Wait::ForValues(until), ctx);
            }
            Ok(Outcome::Watch(guest)) => {
                client.watch(guest);
                daemon.keep_events(true);
                return client.await_turn(number, Wait::ForEvent, ctx);
            }
            Ok(Outcome::Upgrade) => {
                self.wishes_upgrade = true;
                if !request.oneway {
                    client.await_upgrade();
                    return client.await_turn(number, Wait::ForEvent, ctx);
                }
                Ok(serde_json::Value::Null)
            }
            Ok(Outcome::Now(value)) => Ok(value),
            Err(refusal) => Err(refusal),
        };
        let answer = if request.oneway { Vec::new() } else { bounded(answered) };
        if self.send(number, &answer, ctx).is_err() {
            self.drop_client(number, daemon, ctx);
        }
    }

    /// Sends an answer, and lets the client go on.
    ///
    /// # Errors
    /// [`Closed`].
    pub(super) fn send(
        &mut self,
        number: ClientId,
        answer: &[u8],
        ctx: &mut Ctx<'_>,
    ) -> Result<(), Closed> {
        let Some(client) = self.clients.get_mut(number) else { return Ok(()) };
        let wait = match client.send(answer, ctx.now)? {
            None => client.after_answer(),
            since => Wait::ToWrite(since),
        };
        client.await_turn(number, wait, ctx);
        Ok(())
    }

    /// Whether that user may make that call now.
    fn may_call(&self, call: &Call, more: bool, user: Uid) -> Result<(), Refusal> {
        if call.changes() && !is_trusted(user) {
            let message = format!("only root may do that, and not user {user}");
            return Err(Refusal::NotPermitted { message });
        }
        match (call, more) {
            (Call::Watch { .. }, false) => Err(Refusal::ExpectedMore {}),
            (Call::Watch { .. }, true) => match self.no_room_to_watch(user) {
                Some(message) => Err(Refusal::Busy { message }),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    pub(super) fn drop_client(
        &mut self,
        number: ClientId,
        daemon: &mut Daemon<'_>,
        ctx: &mut Ctx<'_>,
    ) {
        self.hang_up(number, ctx);
        daemon.keep_events(self.clients.iter().any(|(_, client)| client.watches()));
    }
}

#[cfg(test)]
mod tests;
