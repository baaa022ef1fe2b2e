//! libvirt's helper in the loop: its turns, and what follows from its answers.

use hostinfo_domains::Helper;

use super::Guests;
use crate::reactor::Ctx;

impl Guests {
    /// The helper has sent something.
    pub(crate) fn libvirt_is_ready(&mut self, ctx: &mut Ctx<'_>) {
        let now = ctx.now;
        self.with_libvirt(|helper| helper.on_ready(now), ctx);
    }

    /// A deadline of the helper has come.
    pub(crate) fn libvirt_is_due(&mut self, ctx: &mut Ctx<'_>) {
        let now = ctx.now;
        self.with_libvirt(|helper| helper.on_time(now), ctx);
    }

    /// Before another program takes this one's place: ends the helper, and starts another if this program goes on after all.
    pub(crate) fn renew_helper(&mut self, ctx: &mut Ctx<'_>) {
        let now = ctx.now;
        self.with_libvirt(|helper| helper.renew(now), ctx);
    }

    /// Logs what the helper has written to standard error, and how many lines of it were left out, when that is due.
    pub(crate) fn log_helper_errors(&mut self, ctx: &mut Ctx<'_>) {
        self.responder.libvirt().log_errors(ctx);
    }

    fn with_libvirt(&mut self, turn: impl FnOnce(&mut Helper) -> bool, ctx: &mut Ctx<'_>) {
        let update = self.responder.libvirt().turn(turn, ctx.now);
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
