//! What the administrator has changed: settings and rules, read again.

use std::time::Instant;

use hostinfo_control::limits::PROBLEM_MAX;
use hostinfo_domains::cut;

use super::{Alarm, Server};
use crate::audit::Event;
use crate::settings::Settings;
use crate::settings::watch::Watch;

impl Server {
    /// SIGHUP.
    pub(crate) fn reload(&mut self) {
        self.signals.clear_reload();
        self.rules.ask(Instant::now());
        match Settings::load(&self.args) {
            Ok(settings) => {
                self.settings_problem = None;
                self.take_over(settings);
            }
            Err(error) => {
                tracing::error!("the settings stay as they were: {error}");
                self.settings_problem = Some(cut(&error.to_string(), PROBLEM_MAX).to_owned());
            }
        }
        self.reload_customs();
        self.look_for_other_directories();
        self.look_for_the_control_socket();
    }

    /// Takes over what can be while the daemon runs, and logs what waits for a restart.
    fn take_over(&mut self, settings: Settings) {
        let waiting = self.at_start.waiting(&settings).join(", ");
        let Settings { flow, watch, labels, log, paths: _, control: _, metrics: _, libvirt: _ } =
            settings;
        let Watch { guests } = watch;
        self.logging.reload(&log);
        self.desk.set_flow(flow);
        self.desk.given().labels = labels;
        self.watched.max = guests;
        self.plan_all_watches(Instant::now());
        if waiting.is_empty() {
            tracing::info!("settings read again");
        } else {
            tracing::warn!(
                "settings read again; these changes take effect when hostinfod is restarted: {waiting}"
            );
        }
    }

    /// The rules file has settled: every guest comes under its rule.
    pub(crate) fn reload_rules(&mut self) {
        match self.rules.reload() {
            Ok(false) => {}
            Ok(true) => {
                let now = Instant::now();
                for (number, guest) in &mut self.roster.guests {
                    if guest.grant.vhostmd_disk() {
                        self.alarms.set(Alarm::Disk(number), Some(now));
                    }
                    guest.come_under(self.rules.rules().decide(guest.name.whole()), now);
                }
                self.plan_disks(now);
                self.plan_all_watches(now);
                self.drop_incidents();
            }
            Err(error) => {
                Event::RulesRefused { file: &self.paths.rules, why: &error.to_string() }.log();
            }
        }
    }
}
