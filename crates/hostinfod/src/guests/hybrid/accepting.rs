//! Who connects at a guest's listener.

use hostinfo_peer::PeerSocket;

use crate::guests::Guests;
use crate::guests::refusals::RefusalLog;
use crate::port::Endpoint;
use crate::reactor::Ctx;
use crate::reactor::accepting::{AcceptPace, Accepting};
use crate::reactor::alarms::Alarm;
use crate::reactor::id::PortId;
use crate::reactor::poll::Interest;
use crate::reactor::token::Token;
use crate::system::credentials::Credentials;

/// Users who connect where a VMM does and may not: one pace and one quota of log lines for all `[[listen]]` together. Those who
/// may connect are charged to the guest.
pub(in crate::guests) struct RefusedPeers {
    pace: AcceptPace,
    refusals: RefusalLog,
}

impl RefusedPeers {
    /// Nobody has come yet.
    pub(in crate::guests) fn new() -> Self {
        let refusals = RefusalLog::new("listen", Alarm::RefusedPeersLeftOut);
        Self { pace: AcceptPace::new(), refusals }
    }
}

impl Guests {
    /// Logs the number of lines left out about refused peers, when that is due.
    pub(crate) fn log_refused_peers_left_out(&mut self, ctx: &mut Ctx<'_>) {
        self.refused_peers.refusals.log_left_out(ctx);
    }

    /// Somebody connects at a guest's listener.
    pub(in crate::guests) fn accept(&mut self, number: PortId, ctx: &mut Ctx<'_>) {
        let Some((port, guest)) = self.roster.at(number) else { return };
        let Endpoint::Listener(listener) = &mut port.endpoint else { return };
        let Some(socket) = &listener.socket else { return };
        let accepting = accepting(number);
        if guest.unclosed.count() > 0 {
            return accepting.wait_for_closing(socket, ctx);
        }
        let fd = accepting.accept_uncounted(socket, ctx);
        let Some(fd) = fd.map(|fd| PeerSocket::new(fd, guest.unclosed.clone())) else { return };
        let Some(peer) = Credentials::of(&fd) else { return };
        // Not root either, unless it is that user: a VMM of root's follows a link to any guest's socket, and whoever may write to
        // the VMM's directory can have put it there.
        if Some(peer.uid) != listener.user {
            accepting.count(socket, &mut self.refused_peers.pace, ctx);
            let allowed =
                listener.user.map_or_else(|| "nobody".to_owned(), |user| format!("user {user}"));
            let why = format!(
                "user {} connected where the VMM does, and only {allowed} may: it was hung up on",
                peer.uid
            );
            return self.refused_peers.refusals.log(guest.who.name().whole(), &why, ctx);
        }
        if let Some(until) = self.responder.charge_accepted(guest, ctx.now) {
            // Those behind it wait in the kernel. If a line that came meanwhile takes what this waits for, the next one is
            // accepted all the same, so lines keep no connection out, and it is owed for.
            accepting.wait_for(socket, Interest::None, ctx.reactor);
            ctx.reactor.set_alarm(Alarm::Port(number), Some(until));
        }
        let guest = port.guest;
        self.admit(guest, fd, Endpoint::Accepted(number), ctx);
    }
}

/// What the socket of a listener is in the reactor.
pub(super) fn accepting(number: PortId) -> Accepting {
    let (token, alarm) = (Token::Port(number), Alarm::Port(number));
    Accepting { who: "a VMM to connect", token, alarm }
}
