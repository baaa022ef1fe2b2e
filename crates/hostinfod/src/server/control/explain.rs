//! What a guest may ask, and by which line of the rules file: the decision that is in force.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use hostinfo_catalog::{Named, Scope, StatId, resolve};
use hostinfo_control::{Decision, Explanation, GuestState, Refusal};
use hostinfo_rules::Grant;

use crate::guest::name::Name;
use crate::server::Server;

impl Server {
    /// Of what is named, or of everything; for a guest that is there, or that would have that
    /// whole name.
    pub(super) fn explain(
        &mut self,
        name: &str,
        words: Option<&[String]>,
        now: Instant,
    ) -> Result<Explanation, Refusal> {
        let found = match self.find_guest(name) {
            Ok((number, guest)) => Ok((number, guest)),
            Err(refusal) => Err(Name::parse(name).ok_or(refusal)?),
        };
        let (number, name, grant, (state, problem)) = match &found {
            Ok((number, guest)) => {
                let state = self.state_of(*number, guest);
                (Some(*number), guest.name.clone(), Arc::clone(&guest.grant), state)
            }
            Err(name) => {
                let grant = self.rules.rules().decide(name.whole());
                (None, name.clone(), grant, (GuestState::Absent, None))
            }
        };
        let picked = match words {
            None => vec![(Scope::ALL, None)],
            Some(words) => words.iter().map(|word| pick(word)).collect::<Result<_, _>>()?,
        };
        let mut statistics = Vec::new();
        let mut told = HashSet::new();
        for (scope, instance) in picked {
            for stat in scope.rows() {
                let instances = match &instance {
                    Some(instance) => vec![Some(instance.clone())],
                    None => self.instances_to_tell(number, stat, &scope, &grant, now),
                };
                for instance in instances {
                    let decision = decide(&grant, stat, instance.as_deref());
                    if told.insert(decision.name.clone()) {
                        statistics.push(decision);
                    }
                }
            }
        }
        let rule = grant.rule();
        Ok(Explanation {
            guest: name.whole().to_owned(),
            state,
            problem,
            path: self.paths.rules.display().to_string(),
            pattern: rule.map(|rule| rule.pattern.clone()),
            line: rule.map(|rule| rule.line as u64),
            enabled: grant.enabled(),
            interval: grant.interval().as_secs_f64(),
            vhostmd_disk: grant.vhostmd_disk(),
            statistics,
        })
    }

    /// The row itself, and of its instances that the guest has now those of which the rules say
    /// another thing.
    fn instances_to_tell(
        &mut self,
        guest: Option<usize>,
        stat: StatId,
        scope: &Scope,
        grant: &Grant,
        now: Instant,
    ) -> Vec<Option<String>> {
        let mut all = vec![None];
        let guest = guest.and_then(|number| self.roster.guests.get(number));
        if let Some(guest) = guest.filter(|_| stat.stat().has_instances()) {
            let usual = grant.explain(stat, None);
            let mut instances = self.desk.engine().instances(guest, stat, now);
            instances.retain(|one| {
                scope.covers(stat, Some(one)) && grant.explain(stat, Some(one)) != usual
            });
            all.extend(instances.into_iter().map(Some));
        }
        all
    }
}

/// The rows that a word means, and the one instance where it means one.
fn pick(word: &str) -> Result<(Scope, Option<String>), Refusal> {
    match resolve(word) {
        Some(Named::Group(scope)) => {
            let instance = scope.instance().map(str::to_owned);
            Ok((scope, instance))
        }
        Some(Named::Below(stat, instance)) => Ok((Scope::below(stat, instance), None)),
        Some(Named::Stat(stat, instance)) => Ok((Scope::of(stat), instance)),
        None => {
            let message = format!(
                "there is no statistic or group {word}: hostinfo-statistics(7) has them all"
            );
            Err(Refusal::NoSuchStatistic { name: word.to_owned(), message })
        }
    }
}

fn decide(grant: &Grant, stat: StatId, instance: Option<&str>) -> Decision {
    let why = grant.explain(stat, instance);
    Decision {
        name: stat.stat().name_of(instance).into_owned(),
        permitted: why.permitted,
        line: why.line.map(|line| line as u64),
    }
}
