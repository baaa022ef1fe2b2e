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
                self.logging.reload(&settings.log);
                self.guests.apply_settings(settings, ctx);
                tracing::info!(
                    "settings read again; paths and the log's output change with the next start"
                );
            }
            Err(error) => {
                tracing::error!("the settings stay as they were: {error}");
                self.settings_problem = Some(cut(&error.to_string(), PROBLEM_MAX).to_owned());
            }
        }
        self.guests.reload_customs(ctx);
        self.guests.look_for_other_directories(ctx);
        self.wake_previews(std::time::Instant::now());
        self.look_for_the_control_socket();
    }
}
