//! libvirt's helper in the loop: its turns, and what follows from its answers.

use std::time::Instant;

use hostinfo_domains::Helper;

use super::Guests;
use crate::reactor::Ctx;

impl Guests {
    /// Logs what the helper has written to standard error, and how many lines of it were left out, when that is due.
    pub(crate) fn log_helper_errors(&mut self, ctx: &mut Ctx<'_>) {
        self.responder.libvirt().log_errors(ctx);
    }

    /// Gives the helper its turn: it has sent something, a deadline of it has come, or another program is about to take this
    /// one's place.
    pub(crate) fn turn_of_helper(
        &mut self,
        turn: impl FnOnce(&mut Helper, Instant) -> bool,
        ctx: &mut Ctx<'_>,
    ) {
        let update = self.responder.libvirt().turn(|helper| turn(helper, ctx.now), ctx.now);
        self.log_helper_errors(ctx);
        let Some(update) = update else { return };
        self.figures_have_come(ctx);
        if update.concerns_guests {
            self.update_standings(ctx);
        }
        if let Some(before) = update.before {
            self.end_stopped_domains_connections(ctx);
            self.find_channels(ctx);
            self.plan_disks_since(&before, ctx);
        }
        self.identify_vsock_peers(ctx);
        for port in update.waited {
            self.try_connect(port, ctx);
        }
    }
}
