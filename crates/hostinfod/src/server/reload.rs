//! The administrator wants the settings read again.

use hostinfo_control::limits::PROBLEM_MAX;
use hostinfo_domains::cut;

use super::Server;
use crate::settings::Settings;

impl Server {
    /// SIGHUP.
    pub(crate) fn reload(&mut self) {
        self.signals.clear_reload();
        let ctx = &mut self.reactor.now();
        self.guests.ask_for_rules(ctx.now);
        match Settings::load(&self.args) {
            Ok(settings) => {
                self.settings_problem = None;
                let waiting = self.at_start.waiting(&settings).join(", ");
                let Settings {
                    flow,
                    watch,
                    labels,
                    log,
                    paths: _,
                    control: _,
                    metrics: _,
                    libvirt: _,
                } = settings;
                self.logging.reload(&log);
                self.guests.apply_settings(flow, watch, labels, ctx);
                log_reload(&waiting);
            }
            Err(error) => {
                tracing::error!("the previous settings stay in force: {error}");
                self.settings_problem = Some(cut(&error.to_string(), PROBLEM_MAX).to_owned());
            }
        }
        self.guests.reload_customs(ctx);
        self.guests.look_for_other_directories(ctx);
        self.wake_previews(std::time::Instant::now());
        self.look_for_the_control_socket();
    }
}

/// What of the settings is in force now.
fn log_reload(waiting: &str) {
    if waiting.is_empty() {
        tracing::info!("settings read again");
    } else {
        tracing::warn!(
            "settings read again; these changes take effect when hostinfod is restarted: {waiting}"
        );
    }
}
