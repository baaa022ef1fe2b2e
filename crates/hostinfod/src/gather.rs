//! Picks to answers: in their order, each statistic once.

use std::collections::HashSet;

use hostinfo_catalog::StatId;
use hostinfo_render::Answer;

use crate::select::Pick;
use crate::sources::Sources;

/// The answers to the picks.
pub(crate) fn gather<'a, 'g: 'a>(
    picks: Vec<Pick<'a>>,
    sources: &mut Sources<'g, '_>,
) -> Vec<Answer<'a>> {
    sources.prepare(&picks);
    let mut answered = Answered::default();
    let mut answers = Vec::with_capacity(picks.len());
    for pick in picks {
        match pick {
            Pick::Refused(name, refusal) => answers.push(Answer::Refused { name, refusal }),
            Pick::Stat(stat, instance) => {
                if answered.is_first(stat, instance.as_deref()) {
                    answers.push(match sources.value(stat, instance.as_deref()) {
                        Ok(value) => Answer::Value { row: sources.row(stat, instance), value },
                        Err(refusal) => {
                            let name = stat.stat().name_of(instance.as_deref());
                            Answer::Refused { name, refusal }
                        }
                    });
                }
            }
            Pick::Group(name, scope) => {
                let found = sources.group(&scope, |row, value| {
                    if answered.is_first(row.stat, row.instance.as_deref()) {
                        answers.push(Answer::Value { row, value });
                    }
                });
                if let Err(refusal) = found {
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
