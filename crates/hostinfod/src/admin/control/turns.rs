//! The turns of the control socket's clients. As for guests, at most one message is answered in a
//! turn, so that no client holds up another.

use hostinfo_answer::{Pending, When};
use hostinfo_control::limits::READ_DEADLINE;
use hostinfo_control::{Asked, Call, Refusal, Request};
use rustix::process::Uid;

use super::Control;
use super::client::{Client, Next, is_trusted};
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
        let Some(client) = self.clients.get(number) else { return };
        match client.interest() {
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

    fn turn(&mut self, number: ClientId, daemon: &mut Daemon<'_>, ctx: &mut Ctx<'_>) {
        let Some(client) = self.clients.get_mut(number) else { return };
        match client.turn() {
            Ok(Next::Answer(request, asked)) => self.answer(number, request, asked, daemon, ctx),
            Ok(Next::WhenRead) => client.wait_for(number, Interest::Read, None, ctx),
            Ok(Next::WhenWritten(since)) => {
                let until = since.map(|since| since + READ_DEADLINE);
                client.wait_for(number, Interest::Write, until, ctx);
            }
            Ok(Next::WhenSomethingIsSeen) => client.wait_for(number, Interest::None, None, ctx),
            Err(Closed) => self.drop_client(number, daemon, ctx),
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
                return client.wait_for(number, Interest::None, Some(until), ctx);
            }
            Ok(Outcome::Watch(guest)) => {
                client.watch(guest);
                daemon.keep_events(true);
                return client.wait_for(number, Interest::None, None, ctx);
            }
            Ok(Outcome::Now(value)) => Ok(value),
            Err(refusal) => Err(refusal),
        };
        let sent = if request.oneway { Ok(None) } else { client.send(&bounded(answered), ctx.now) };
        let (interest, alarm) = match sent {
            Err(Closed) => return self.drop_client(number, daemon, ctx),
            Ok(None) if !client.has_more() => (Interest::Read, None),
            // Others have their turns before its next message.
            Ok(None) => (Interest::None, Some(ctx.now)),
            Ok(Some(since)) => (Interest::Write, Some(since + READ_DEADLINE)),
        };
        client.wait_for(number, interest, alarm, ctx);
    }

    /// Whether that user may make that call now.
    fn may_call(&self, call: &Call, more: bool, user: Uid) -> Result<(), Refusal> {
        if call.changes() && !is_trusted(user) {
            let message = format!(
                "only root and the user that hostinfod runs as may do that, and not user {user}"
            );
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
        let gone = self.clients.remove(number);
        if let Some(request) = gone.and_then(Client::waits_for) {
            daemon.give_up(&request);
        }
        ctx.reactor.set_alarm(Alarm::Client(number), None);
        daemon.keep_events(self.clients.iter().any(|(_, client)| client.watches()));
    }
}
