//! What a guest may ask, and which line of the rules file decides it, by the rules in force.

use std::collections::{BTreeSet, HashSet};
use std::time::Instant;

use hostinfo_answer::{Name, Observed, Requester};
use hostinfo_catalog::{Named, Scope, StatId, resolve};
use hostinfo_control::limits::NAMES_MAX;
use hostinfo_control::{Decision, Explanation, Refusal};

use super::Daemon;
use super::answer::failed;

impl Daemon<'_> {
    /// Explains the named statistics, or all.
    pub(super) fn explain(
        &mut self,
        name: &Name,
        words: Option<&[String]>,
        now: Instant,
    ) -> Result<Explanation, Refusal> {
        let (number, who, observed) = self.guests.for_preview(name).map_err(failed)?;
        let (state, problem) = self.state_of(number, &who);
        let picked = pick(words)?;
        let expanded = self.expand(&who, observed, &picked, now);
        let statistics =
            expanded.iter().map(|(stat, one)| decide(&who, *stat, one.as_deref())).collect();
        let grant = who.grant();
        let rule = who.rule();
        Ok(Explanation {
            guest: name.whole().to_owned(),
            state,
            problem,
            path: self.guests.rules().path().display().to_string(),
            pattern: rule.map(|rule| rule.pattern.clone()),
            line: rule.map(|rule| rule.line as u64),
            may_ask: who.may_ask(),
            interval: grant.interval().as_secs_f64(),
            watch: grant.watch(),
            vhostmd_disk: grant.vhostmd_disk(),
            statistics,
        })
    }

    /// Everything that was picked, once each: the rows themselves, and those of the guest's current
    /// instances for which the rules may decide differently.
    fn expand(
        &mut self,
        who: &Requester,
        observed: Observed,
        picked: &[Picked],
        now: Instant,
    ) -> Vec<One> {
        let rows: BTreeSet<StatId> = picked.iter().flat_map(|picked| picked.scope.rows()).collect();
        let apart = rows.iter().filter(|stat| who.grant().names_an_instance_of(**stat));
        let instances = self.guests.instances(who, observed, apart.copied(), now);
        let (mut expanded, mut seen, mut whole) = (Vec::new(), HashSet::new(), BTreeSet::new());
        for Picked { scope, instance, is_whole } in picked {
            for stat in scope.rows() {
                if *is_whole && !whole.insert(stat) {
                    continue;
                }
                let usual = who.explain(stat, None);
                let is_other = |one: &&String| {
                    scope.covers(stat, Some(one)) && who.explain(stat, Some(one)) != usual
                };
                let others = instances.get(&stat).into_iter().flatten().filter(is_other);
                let ones: Vec<Option<String>> = match instance {
                    Some(_) => vec![instance.clone()],
                    None => std::iter::once(None).chain(others.cloned().map(Some)).collect(),
                };
                expanded.extend(
                    ones.into_iter().map(|one| (stat, one)).filter(|one| seen.insert(one.clone())),
                );
            }
        }
        expanded
    }
}

/// A statistic and its instance.
type One = (StatId, Option<String>);

/// The meaning of a word.
#[derive(Debug, PartialEq)]
struct Picked {
    scope: Scope,
    /// The instance, if the word names a single one.
    instance: Option<String>,
    /// Whether it covers all of each of its rows.
    is_whole: bool,
}

/// The meaning of words; without words, everything.
fn pick(words: Option<&[String]>) -> Result<Vec<Picked>, Refusal> {
    let Some(words) = words else {
        return Ok(vec![Picked { scope: Scope::ALL, instance: None, is_whole: true }]);
    };
    if words.len() > NAMES_MAX {
        let message = format!("{} names are too many: ask for {NAMES_MAX} at a time", words.len());
        return Err(Refusal::Failed { message });
    }
    let mut picked = Vec::new();
    for word in words {
        // Each is compared with all instances that there are.
        let one = pick_one(word)?;
        if !picked.contains(&one) {
            picked.push(one);
        }
    }
    Ok(picked)
}

fn pick_one(word: &str) -> Result<Picked, Refusal> {
    let (scope, instance, is_below) = match resolve(word) {
        Some(Named::Group(scope)) => {
            let instance = scope.instance().map(str::to_owned);
            (scope, instance, false)
        }
        Some(Named::Below(stat, name)) => (Scope::below(stat, name), None, true),
        Some(Named::Stat(stat, instance)) => (Scope::of(stat), instance, false),
        None => {
            let message =
                format!("unknown statistic or group {word}: hostinfo-statistics(7) lists them all");
            return Err(Refusal::NoSuchStatistic { name: word.to_owned(), message });
        }
    };
    let is_whole = instance.is_none() && !is_below;
    Ok(Picked { scope, instance, is_whole })
}

fn decide(who: &Requester, stat: StatId, instance: Option<&str>) -> Decision {
    let why = who.explain(stat, instance);
    Decision {
        name: stat.stat().name_of(instance).into_owned(),
        permitted: why.permitted,
        line: why.line.map(|line| line as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_same_meaning_are_looked_up_once() {
        let words = ["custom.a.*", "CUSTOM.A.*", "loadavg", "Loadavg", "loadavg.1"];
        let picked = pick(Some(&words.map(str::to_owned))).unwrap();
        assert_eq!(picked.len(), 3, "{picked:?}");
    }
}
