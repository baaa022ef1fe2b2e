//! Reads the settings again when the administrator asks for it.

use super::Server;
use crate::settings::Settings;

impl Server {
    /// SIGHUP.
    pub(super) fn reload(&mut self) {
        self.signals.clear_reload();
        let ctx = &mut self.reactor.now();
        self.guests.ask_for_rules(ctx.now);
        if let Some((settings, waiting)) = self.settings.reload() {
            let Settings {
                flow,
                listen,
                vsock,
                tags,
                watch,
                labels,
                log,
                sockets,
                paths: _,
                control: _,
                metrics: _,
                libvirt: _,
                security: _,
            } = settings;
            self.logging.reload(&log);
            self.guests.set_tag_sources(tags.sought(), ctx.now);
            self.guests.apply_settings(flow, watch, labels, ctx);
            self.guests.listen_at(listen, ctx);
            self.guests.apply_vsock(vsock, ctx);
            self.guests.apply_sockets(&sockets, ctx);
            log_reload(&waiting.join(", "));
        }
        self.guests.check_users(ctx);
        self.guests.reload_customs(ctx);
        self.guests.look_for_other_directories(ctx);
        self.control.wake_previews(ctx);
        self.control.look_for_the_socket(ctx.reactor);
        self.scrape.look_for_the_socket(ctx.reactor);
    }
}

/// Logs which settings are in force now.
fn log_reload(waiting: &str) {
    if waiting.is_empty() {
        tracing::info!("settings read again");
    } else {
        tracing::warn!(
            "settings read again; these changes take effect when hostinfod is restarted: {waiting}"
        );
    }
}
