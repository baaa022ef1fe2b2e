//! What the administrator has changed: settings and rules, read again.

use std::time::Instant;

use hostinfo_control::limits::PROBLEM_MAX;
use hostinfo_domains::cut;

use super::Server;
use crate::audit::Event;
use crate::reactor::alarms::Alarm;
use crate::settings::Settings;

impl Server {
    /// SIGHUP.
    pub(crate) fn reload(&mut self) {
        self.signals.clear_reload();
        self.rules.ask(Instant::now());
        match Settings::load(&self.args) {
            Ok(settings) => {
                self.settings_problem = None;
                self.logging.reload(&settings.log);
                self.desk.set_flow(settings.flow.bounds());
                self.desk.given().labels = settings.labels;
                self.watched.max = settings.watch.guests;
                self.plan_all_watches(Instant::now());
                tracing::info!(
                    "settings read again; paths and the log's output change with the next start"
                );
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

    /// The rules file has settled: every guest comes under its rule.
    pub(crate) fn reload_rules(&mut self) {
        match self.rules.reload() {
            Ok(false) => {}
            Ok(true) => {
                let now = Instant::now();
                for (number, guest) in self.roster.guests.iter_mut() {
                    if guest.who.grant().vhostmd_disk() {
                        self.reactor.set_alarm(Alarm::Disk(number), Some(now));
                    }
                    guest.apply_grant(self.rules.rules().decide(guest.who.name().whole()), now);
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
