//! Custom statistics, which may need time: requested in parallel, and waited for.

use hostinfo_catalog::{Source, StatId};
use hostinfo_custom::{Answer, Scope};
use hostinfo_sample::Absent;

use super::Sources;
use crate::pending::{Pending, When};
use crate::select::{Pick, permitted};

/// Why a preview for a guest that does not exist has no value of that guest alone.
const ABSENT: Absent = Absent::plain("only a guest that exists has this value");

impl Sources<'_, '_> {
    /// Requests all values that may need time, so that their commands run in parallel. Must come
    /// first.
    ///
    /// # Errors
    /// Some of them are not there yet.
    pub(crate) fn ask(&mut self, picks: &[Pick<'_>]) -> Result<(), Pending> {
        let mut last: Option<Pending> = None;
        for name in self.customs(picks) {
            match self.custom(&name) {
                Answer::Pending { until } => {
                    let until = last.map_or(until, |last| last.until.max(until));
                    last = Some(Pending { asked: self.when.asked, until, on: name });
                }
                Answer::Ready(Err(_)) => {}
                Answer::Ready(Ok(_)) => {
                    // The age is how long a value may be kept. The true age would show that another
                    // guest asked.
                    let every = self.admin_values.customs.find(&name).map(|custom| custom.every);
                    let held = self.when.now.saturating_duration_since(self.when.asked);
                    self.times.age = self.times.age.max(every.unwrap_or_default()).max(held);
                }
            }
        }
        last.map_or(Ok(()), Err)
    }

    /// The custom statistics in a query.
    fn customs(&mut self, picks: &[Pick<'_>]) -> Vec<String> {
        let is_custom = |stat: &StatId| stat.stat().source == Source::Custom;
        let mut names = Vec::new();
        for pick in picks {
            match pick {
                Pick::Stat(stat, Some(name)) if is_custom(stat) => names.push(name.clone()),
                Pick::Stat(..) | Pick::Refused(..) => {}
                Pick::Group(_, scope) => {
                    for stat in permitted(scope, &self.who.grant).filter(is_custom) {
                        names.extend(self.instances_in(scope, stat));
                    }
                }
            }
        }
        names
    }

    pub(super) fn custom(&mut self, name: &str) -> Answer {
        if self.who.is_absent && self.is_of_guest(name) {
            return Answer::Ready(Err(ABSENT));
        }
        let When { asked, now, .. } = self.when;
        // Who previews chooses the name of a guest that does not exist, and nobody would forget what is kept for it.
        let guest = if self.who.is_absent { "" } else { self.who.name.whole() };
        self.admin_values.customs.value(name, guest, asked, now)
    }

    /// Whether there are any custom statistics.
    pub(crate) fn has_customs(&self) -> bool {
        self.admin_values.customs.names("").next().is_some()
    }

    /// Whether the custom statistic of that name is about the guest alone.
    pub(crate) fn is_of_guest(&self, name: &str) -> bool {
        let custom = self.admin_values.customs.find(name);
        custom.is_some_and(|custom| custom.scope == Scope::Guest)
    }
}
