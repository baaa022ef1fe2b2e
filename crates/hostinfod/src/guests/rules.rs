//! Rules and settings that change while guests are there.

use std::time::Instant;

use hostinfo_answer::Labels;

use crate::audit::Event;
use crate::reactor::Ctx;
use crate::settings::flow::Flow;
use crate::settings::watch::Watch;

use super::Guests;
use super::tags::take_tags;

impl Guests {
    /// Something on the path of the rules file has changed.
    pub(super) fn take_rules_changes(&mut self, now: Instant) {
        self.rules.take_changes(now);
    }

    /// SIGHUP: lets the rules file be read.
    pub(crate) fn ask_for_rules(&mut self, now: Instant) {
        self.rules.ask(now);
    }

    /// The rules file has settled: reads it, and applies to every guest its rule.
    pub(crate) fn reload_rules(&mut self, ctx: &mut Ctx<'_>) {
        match self.rules.reload(ctx.now) {
            Ok(false) => {}
            Ok(true) => {
                for (_, guest) in self.roster.guests.iter_mut() {
                    let rules = self.rules.rules();
                    if !take_tags(guest, rules, self.responder.libvirt(), ctx.now) {
                        guest.apply_rules(rules, ctx.now);
                    }
                }
                self.plan_disks(ctx);
                self.plan_all_watches(ctx);
                self.drop_incidents();
            }
            Err(error) => {
                Event::RulesRefused { file: self.rules.path(), why: &error.to_string() }.log();
            }
        }
    }

    /// Applies the settings that concern guests.
    pub(crate) fn apply_settings(
        &mut self,
        flow: Flow,
        watch: Watch,
        labels: Labels,
        ctx: &mut Ctx<'_>,
    ) {
        let Watch { guests } = watch;
        self.responder.set_flow(flow.bounds());
        self.responder.admin_values().labels = labels;
        self.watched.max = guests;
        self.plan_all_watches(ctx);
    }
}
