//! From picks to answers: in the same order, each statistic once.

use std::collections::{HashMap, HashSet};

use hostinfo_catalog::source::{Own, Source};
use hostinfo_catalog::{Scope, StatId};
use hostinfo_render::Answer;
use hostinfo_wire::Refusal;

use crate::select::Pick;
use crate::sources::Sources;

/// The answers to the picks.
pub(crate) fn gather<'a, 'g: 'a>(
    picks: Vec<Pick<'a>>,
    sources: &mut Sources<'g, '_>,
) -> Vec<Answer<'a>> {
    sources.sample_ratios(&picks);
    sources.read_cgroups_of(&picks);
    let mut gathered = Gathered { is_of_one: picks.len() == 1, ..Gathered::default() };
    for pick in picks {
        match pick {
            Pick::Refused(name, refusal) => {
                gathered.answers.push(Answer::Refused { name, refusal });
            }
            Pick::Stat(stat, instance) => {
                if gathered.is_first(stat, instance.as_deref()) {
                    gathered.add(stat, instance, sources);
                }
            }
            Pick::Group(name, scope) => {
                if let Err(refusal) = gathered.add_group(&scope, sources) {
                    gathered.answers.push(Answer::Refused { name, refusal });
                }
            }
        }
    }
    gathered.finish(sources)
}

/// The answers so far.
struct Gathered<'a> {
    answers: Vec<Answer<'a>>,
    /// There is a single pick: nothing is in it twice.
    is_of_one: bool,
    /// Statistics whose value depends on the rest of the reply, with their index and whether they
    /// were asked for by name.
    late: Vec<(usize, StatId, bool)>,
    /// Rows that have an answer. Nearly all have no instance, so a table is enough for them.
    rows: [bool; StatId::COUNT],
    instances: HashSet<(StatId, String)>,
    /// The results of rows that were asked for with all their instances.
    whole: HashMap<StatId, Option<Result<(), Refusal>>>,
}

impl<'a> Gathered<'a> {
    fn add<'g: 'a>(
        &mut self,
        stat: StatId,
        instance: Option<String>,
        sources: &mut Sources<'g, '_>,
    ) {
        if depends_on_reply(stat) {
            return self.late.push((self.answers.len(), stat, true));
        }
        let value = sources.value(stat, instance.as_deref());
        self.answers.push(match value {
            Ok(value) => Answer::Value { row: sources.row(stat, instance), value },
            Err(refusal) => {
                Answer::Refused { name: stat.stat().name_of(instance.as_deref()), refusal }
            }
        });
    }

    /// Adds the available statistics of a group, or returns the reason if there are none.
    fn add_group<'g: 'a>(
        &mut self,
        scope: &Scope,
        sources: &mut Sources<'g, '_>,
    ) -> Result<(), Refusal> {
        let mut result = None;
        for stat in sources.rows(scope) {
            let of_row = self.add_row(stat, scope, sources);
            match of_row {
                Some(Ok(())) => result = Some(Ok(())),
                Some(Err(refusal)) => {
                    result.get_or_insert(Err(refusal));
                }
                None => {}
            }
        }
        result.unwrap_or_else(|| Err(sources.why_empty(scope)))
    }

    /// Adds the available statistics of a row in a scope. `None` if it has no instance there.
    fn add_row<'g: 'a>(
        &mut self,
        stat: StatId,
        scope: &Scope,
        sources: &mut Sources<'g, '_>,
    ) -> Option<Result<(), Refusal>> {
        let is_whole = stat.stat().has_instances() && scope.is_of_all_instances();
        // Groups overlap, and a row may have thousands of instances, so each row is looked up only
        // once.
        if is_whole && let Some(result) = self.whole.get(&stat) {
            return result.clone();
        }
        let mut result = None;
        for instance in sources.members_of(stat, scope) {
            match sources.value(stat, instance.as_deref()) {
                Ok(value) => {
                    result = Some(Ok(()));
                    if !depends_on_reply(stat) && self.is_first(stat, instance.as_deref()) {
                        self.answers
                            .push(Answer::Value { row: sources.row(stat, instance), value });
                    }
                }
                Err(refusal) => {
                    result.get_or_insert(Err(refusal));
                }
            }
        }
        if depends_on_reply(stat) && self.is_first(stat, None) {
            self.late.push((self.answers.len(), stat, false));
        }
        if is_whole && !self.is_of_one {
            self.whole.insert(stat, result.clone());
        }
        result
    }

    /// Marks the statistic as answered. Returns whether it was not before.
    fn is_first(&mut self, stat: StatId, instance: Option<&str>) -> bool {
        match (instance, self.rows.get_mut(stat.index())) {
            _ if self.is_of_one => true,
            (None, Some(answered)) => !std::mem::replace(answered, true),
            (instance, _) => self.instances.insert((stat, instance.unwrap_or_default().to_owned())),
        }
    }

    /// Inserts the statistics whose value depends on the rest of the reply.
    fn finish<'g: 'a>(mut self, sources: &mut Sources<'g, '_>) -> Vec<Answer<'a>> {
        for (at, stat, is_named) in self.late.into_iter().rev() {
            match sources.value(stat, None) {
                Ok(value) => {
                    self.answers.insert(at, Answer::Value { row: sources.row(stat, None), value });
                }
                Err(refusal) if is_named => {
                    let name = stat.stat().name.into();
                    self.answers.insert(at, Answer::Refused { name, refusal });
                }
                Err(_) => {}
            }
        }
        self.answers
    }
}

impl Default for Gathered<'_> {
    fn default() -> Self {
        Self {
            answers: Vec::new(),
            is_of_one: false,
            late: Vec::new(),
            rows: [false; StatId::COUNT],
            instances: HashSet::new(),
            whole: HashMap::new(),
        }
    }
}

/// Whether its value depends on what else is in the reply.
fn depends_on_reply(stat: StatId) -> bool {
    matches!(stat.stat().source, Source::Own(Own::SampleAge | Own::Window))
}
