//! What another program goes on with: values that are fresh still, so that no command runs more often, and what guests
//! were sent for counters, so that none falls. A run that has not ended ends with this program.

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use hostinfo_handover::instant;
use hostinfo_sample::Absent;
use serde::{Deserialize, Serialize};

use crate::counter::Counter;
use crate::custom::{Custom, Statistic};
use crate::definition::Definition;
use crate::output::Output;
use crate::stored::Stored;

/// What is kept of a [`Custom`].
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomState {
    failures: u64,
    statistics: BTreeMap<String, StatisticState>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StatisticState {
    /// What the values are of; `None` if it is not defined any more.
    values_of: Option<String>,
    /// By guest.
    values: HashMap<Box<str>, ValueState>,
    counters: HashMap<Box<str>, Counter>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ValueState {
    #[serde(with = "instant")]
    at: Instant,
    outcome: Result<Output, Absent>,
}

impl Custom {
    /// What another program goes on with.
    pub fn hand_over(&self, now: Instant) -> CustomState {
        let state = |statistic: &Statistic| StatisticState {
            values_of: statistic.definition.as_ref().map(values_of),
            values: fresh_values(statistic, now),
            counters: statistic.counters.clone(),
        };
        let statistics =
            self.statistics.iter().map(|(name, one)| (name.clone(), state(one))).collect();
        CustomState { failures: self.failures, statistics }
    }

    /// Goes on with what another program hands over. Values of a definition that is another one by now are left out.
    pub fn take_over(&mut self, CustomState { failures, statistics }: CustomState) {
        self.failures = self.failures.saturating_add(failures);
        for (name, state) in statistics {
            let statistic = self.statistics.entry(name).or_default();
            if statistic.definition.as_ref().map(values_of) == state.values_of {
                let values = state.values.into_iter();
                statistic.values.extend(
                    values.map(|(guest, value)| (guest, Stored::of(value.at, value.outcome))),
                );
            }
            statistic.counters.extend(state.counters);
        }
    }
}

fn fresh_values(statistic: &Statistic, now: Instant) -> HashMap<Box<str>, ValueState> {
    let Some(Definition { every, .. }) = &statistic.definition else { return HashMap::new() };
    let fresh = statistic.values.iter().filter_map(|(guest, stored)| {
        let (at, outcome) = stored.fresh(*every, now, now)?;
        Some((guest.clone(), ValueState { at: *at, outcome: outcome.clone() }))
    });
    fresh.collect()
}

/// What determines a value: the kind that it has, and what is run or read for it.
fn values_of(definition: &Definition) -> String {
    format!("{} {}", definition.about.kind, definition.fingerprint())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::custom::Answer;

    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;
    use std::time::Duration;

    use hostinfo_wire::Value;
    use rustix::process::geteuid;

    /// Statistics from files, so that nobody has to run commands.
    fn custom(definitions: &str) -> Custom {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("x.toml");
        fs::write(&file, definitions).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        let (owner, socket) = (geteuid().as_raw(), Path::new("/nonexistent"));
        let (custom, problems) = Custom::load(directory.path(), owner, socket).unwrap();
        assert_eq!(problems, []);
        custom
    }

    fn definition(file: &Path, kind: &str) -> String {
        let file = file.display();
        format!("[custom.x]\nkind = '{kind}'\nhelp = 'x'\nfile = '{file}'\nevery = '60s'\n")
    }

    /// The state, as another program reads it.
    fn again(custom: &Custom, now: Instant) -> CustomState {
        let text = serde_json::to_vec(&custom.hand_over(now)).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    #[test]
    fn a_value_is_kept_for_the_rest_of_its_time_and_a_counter_counts_on() {
        let folder = tempfile::tempdir().unwrap();
        let (file, begun) = (folder.path().join("x"), Instant::now());
        let value = |custom: &mut Custom, seconds: u64| {
            let now = begun + Duration::from_secs(seconds);
            match custom.value("x", "qemu-a", now, now) {
                Answer::Ready(Ok(Value::Whole(number))) => number,
                other => panic!("{other:?}"),
            }
        };
        let counter = definition(&file, "counter");
        let mut before = custom(&counter);
        fs::write(&file, "100\n").unwrap();
        assert_eq!(value(&mut before, 0), 100);
        // Its source began anew.
        fs::write(&file, "7\n").unwrap();
        assert_eq!(value(&mut before, 60), 107);
        fs::write(&file, "9\n").unwrap();
        let mut after = custom(&counter);
        after.take_over(again(&before, begun + Duration::from_secs(61)));
        assert_eq!((value(&mut after, 119), value(&mut after, 120)), (107, 109));
        // What is too old is not handed over, and what is of another kind is not taken over.
        assert!(again(&before, begun + Duration::from_secs(120)).statistics["x"].values.is_empty());
        let mut gauge = custom(&definition(&file, "gauge"));
        gauge.take_over(again(&before, begun + Duration::from_secs(61)));
        assert_eq!(value(&mut gauge, 62), 9);
    }

    #[test]
    fn a_statistic_that_is_not_defined_for_a_while_counts_on_later() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x");
        fs::write(&file, "100\n").unwrap();
        let (mut before, now) = (custom(&definition(&file, "counter")), Instant::now());
        let _ = before.value("x", "qemu-a", now, now);
        let mut between = custom("");
        between.take_over(again(&before, now));
        assert!(between.find("x").is_none());
        assert_eq!(again(&between, now).statistics["x"].counters.len(), 1);
    }
}
