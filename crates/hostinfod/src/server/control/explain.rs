//! What a guest may ask, and by which line of the rules file: the decision that is in force.

use std::collections::HashSet;
use std::time::Instant;

use hostinfo_catalog::{Named, Scope, StatId, resolve};
use hostinfo_control::{Decision, Explanation, Refusal};

use crate::guest::Guest;
use crate::server::Server;

impl Server {
    /// Of what is named, or of everything.
    pub(super) fn explain(
        &mut self,
        name: &str,
        words: Option<&[String]>,
        now: Instant,
    ) -> Result<Explanation, Refusal> {
        let name = self.find_guest(name)?;
        let (number, guest) = self.double(&name)?;
        let (state, problem) = self.state_of(number, &guest);
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
                    None => self.instances_to_tell(&guest, stat, &scope, now),
                };
                for instance in instances {
                    let decision = decide(&guest, stat, instance.as_deref());
                    if told.insert(decision.name.clone()) {
                        statistics.push(decision);
                    }
                }
            }
        }
        let grant = &guest.grant;
        let rule = grant.rule();
        Ok(Explanation {
            guest: name.whole().to_owned(),
            state,
            problem,
            path: self.paths.rules.display().to_string(),
            pattern: rule.map(|rule| rule.pattern.clone()),
            line: rule.map(|rule| rule.line as u64),
            may_ask: guest.may_ask(),
            interval: grant.interval().as_secs_f64(),
            watch: grant.watch(),
            vhostmd_disk: grant.vhostmd_disk(),
            statistics,
        })
    }

    /// The row itself, and of its instances that the guest has now those of which the rules say
    /// another thing.
    fn instances_to_tell(
        &mut self,
        guest: &Guest,
        stat: StatId,
        scope: &Scope,
        now: Instant,
    ) -> Vec<Option<String>> {
        let mut all = vec![None];
        if stat.stat().has_instances() {
            let usual = guest.explain(stat, None);
            let mut instances = self.desk.engine().instances(guest, stat, now);
            instances.retain(|one| {
                scope.covers(stat, Some(one)) && guest.explain(stat, Some(one)) != usual
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

fn decide(guest: &Guest, stat: StatId, instance: Option<&str>) -> Decision {
    let why = guest.explain(stat, instance);
    Decision {
        name: stat.stat().name_of(instance).into_owned(),
        permitted: why.permitted,
        line: why.line.map(|line| line as u64),
    }
}
