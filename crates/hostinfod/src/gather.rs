//! Picks to answers: the one place where values come together.

use std::borrow::Cow;
use std::collections::HashSet;
use std::time::{Duration, SystemTime};

use hostinfo_catalog::source::{Host as HostSource, Own, Source};
use hostinfo_catalog::{Scope, StatId};
use hostinfo_render::Answer;
use hostinfo_sample::{Host, Moment};
use hostinfo_wire::limits::SAMPLE_GRID;
use hostinfo_wire::{Refusal, Value};

use crate::guest::Guest;
use crate::select::{Pick, permitted};

/// Behind 503, for what the catalog names and nothing reads.
pub(crate) const NOT_YET: &str = "not told by this version of hostinfod";

/// Behind 503, where a reply has no ratio that speaks of a time.
const NO_WINDOW: &str = "nothing in this reply speaks of a time";

/// The answers to the picks, in their order; each statistic once.
pub(crate) fn gather<'a>(
    picks: Vec<Pick<'a>>,
    guest: &'a Guest,
    host: &mut Host,
    at: Moment,
) -> Vec<Answer<'a>> {
    let extent = Extent::of(&picks, guest, host, at);
    let mut sources = Sources { extent, ..Sources::new(guest, host, at) };
    let mut answered = Answered::default();
    let mut answers = Vec::with_capacity(picks.len());
    for pick in picks {
        match pick {
            Pick::Refused(name, refusal) => answers.push(Answer::Refused { name, refusal }),
            Pick::Stat(stat, instance) => {
                if answered.is_first(stat, instance.as_deref()) {
                    answers.push(match sources.value(stat) {
                        Ok(value) => {
                            Answer::Value { stat, instance: instance.map(Cow::Owned), value }
                        }
                        Err(refusal) => {
                            let name = stat.stat().name_of(instance.as_deref());
                            Answer::Refused { name, refusal }
                        }
                    });
                }
            }
            Pick::Group(name, scope) => {
                if let Err(refusal) = sources.group(&scope, |stat, value| {
                    if answered.is_first(stat, None) {
                        answers.push(Answer::Value { stat, instance: None, value });
                    }
                }) {
                    answers.push(Answer::Refused { name, refusal });
                }
            }
        }
    }
    answers
}

/// What has its answer in this reply. Nearly all is without an instance: a table does for that.
struct Answered {
    rows: [bool; StatId::COUNT],
    instances: HashSet<(StatId, String)>,
}

impl Default for Answered {
    fn default() -> Self {
        Self { rows: [false; StatId::COUNT], instances: HashSet::new() }
    }
}

impl Answered {
    /// Whether it had none; it has one now.
    fn is_first(&mut self, stat: StatId, instance: Option<&str>) -> bool {
        match (instance, self.rows.get_mut(stat.index())) {
            (None, Some(answered)) => !std::mem::replace(answered, true),
            (instance, _) => self.instances.insert((stat, instance.unwrap_or_default().to_owned())),
        }
    }
}

/// Everything that values come from.
pub(crate) struct Sources<'a, 'h> {
    guest: &'a Guest,
    host: &'h mut Host,
    at: Moment,
    extent: Extent,
}

impl<'a, 'h> Sources<'a, 'h> {
    /// Those of one reply to one guest.
    pub(crate) fn new(guest: &'a Guest, host: &'h mut Host, at: Moment) -> Self {
        Self { guest, host, at, extent: Extent::default() }
    }

    /// The value of a statistic that the guest may see.
    ///
    /// # Errors
    /// Why it is not available.
    pub(crate) fn value(&mut self, stat: StatId) -> Result<Value<'a>, Refusal> {
        match stat.stat().source {
            Source::Own(own) => self.own(own),
            Source::Host(what) => {
                self.host.value(what, self.at).map_err(|absent| Refusal::Unavailable(absent.reason))
            }
            Source::Vmm(_) | Source::NotYet => Err(Refusal::Unavailable(NOT_YET.into())),
        }
    }

    /// Hands out what is available of a group, or says why nothing is.
    fn group(
        &mut self,
        scope: &Scope,
        mut found: impl FnMut(StatId, Value<'a>),
    ) -> Result<(), Refusal> {
        let mut result = None;
        for stat in permitted(scope, &self.guest.grant) {
            match self.value(stat) {
                Ok(value) => {
                    found(stat, value);
                    result = Some(Ok(()));
                }
                Err(refusal) => {
                    result.get_or_insert(Err(refusal));
                }
            }
        }
        result.unwrap_or(Err(Refusal::NotPermitted))
    }

    fn own(&self, own: Own) -> Result<Value<'a>, Refusal> {
        let guest = self.guest;
        Ok(match own {
            Own::Session => Value::text(&guest.session.id),
            Own::SessionStart => since_1970(guest.session.start),
            Own::Time => since_1970(SystemTime::now()),
            // Whether the sample was there already would show that another had asked.
            Own::SampleAge if self.extent.sampled => Value::seconds(SAMPLE_GRID),
            Own::SampleAge => Value::Whole(0),
            Own::Window => {
                Value::seconds(self.extent.window.ok_or(Refusal::Unavailable(NO_WINDOW.into()))?)
            }
            Own::Interval => Value::seconds(guest.grant.interval()),
            Own::HostId => Value::text(&guest.host_id),
            Own::Driver => Value::text(guest.name.driver()),
            Own::GuestName => Value::text(guest.name.guest()),
        })
    }
}

fn since_1970(time: SystemTime) -> Value<'static> {
    Value::seconds(time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}

/// What `sample.age` and `window` tell of the rest of their reply.
#[derive(Default)]
struct Extent {
    sampled: bool,
    window: Option<Duration>,
}

impl Extent {
    /// Looked for only where one of the two is asked. What it samples is what the reply samples.
    fn of(picks: &[Pick<'_>], guest: &Guest, host: &mut Host, at: Moment) -> Self {
        let mut extent = Self::default();
        let tells_extent =
            |source| matches!(source, Source::Own(Own::SampleAge) | Source::Own(Own::Window));
        if !sources(picks, guest).any(tells_extent) {
            return extent;
        }
        for source in sources(picks, guest) {
            if let Source::Host(what) = source
                && host.value(what, at).is_ok()
            {
                extent.sampled = true;
                if matches!(what, HostSource::CpuShare(_) | HostSource::DiskBusy) {
                    extent.window = host.window(at);
                }
            }
        }
        extent
    }
}

/// The sources of everything that is picked.
fn sources<'a>(picks: &'a [Pick<'_>], guest: &'a Guest) -> impl Iterator<Item = Source> + 'a {
    picks.iter().flat_map(|pick| {
        let (stat, scope) = match pick {
            Pick::Refused(..) => (None, None),
            Pick::Stat(stat, _) => (Some(*stat), None),
            Pick::Group(_, scope) => (None, Some(scope)),
        };
        let group = scope.into_iter().flat_map(|scope| permitted(scope, &guest.grant));
        stat.into_iter().chain(group).map(|stat| stat.stat().source)
    })
}
