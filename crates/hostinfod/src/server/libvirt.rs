//! libvirt's helper in the loop: its turns, and what follows from what it tells.

use std::time::Instant;

use hostinfo_domains::Helper;

use super::Server;

impl Server {
    /// The helper has something to tell.
    pub(crate) fn libvirt_is_ready(&mut self, now: Instant) {
        self.with_libvirt(|helper| helper.on_ready(now), now);
    }

    /// The helper's time has come.
    pub(crate) fn libvirt_is_due(&mut self, now: Instant) {
        self.with_libvirt(|helper| helper.on_time(now), now);
    }

    fn with_libvirt(&mut self, turn: impl FnOnce(&mut Helper) -> bool, now: Instant) {
        let Some(news) = self.desk.libvirt().turn(turn) else { return };
        self.figures_have_come(now);
        if let Some(before) = news.before {
            self.find_out_who_is_who(now);
            self.find_channels(now);
            self.plan_disks_since(&before, now);
        }
        for port in news.waited {
            self.knock(port, now);
        }
    }
}
