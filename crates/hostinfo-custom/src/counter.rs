//! A counter that never falls, whatever the command prints.

use crate::output::number_value;
use hostinfo_wire::Value;
use serde::{Deserialize, Serialize};

/// A counter's values, in millionths.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counter {
    /// What was reported last.
    told: i128,
    /// What the command or the file said last.
    last: i128,
}

/// The highest value that can be reported.
const HIGHEST: i128 = u64::MAX as i128 * 1_000_000;

impl Counter {
    /// The value to report for `now`. A counter that fell below half was restarted, and counts on
    /// from zero. One that is slightly below its last value was merely read inexactly, and stands
    /// still. The same rule as that of `hostinfo_sample::gain`.
    pub(crate) fn raise(&mut self, now: i128) -> Option<Value<'static>> {
        let gain = if now >= self.last {
            now.saturating_sub(self.last)
        } else if now < self.last / 2 {
            now
        } else {
            0
        };
        self.last = now;
        self.told = self.told.saturating_add(gain).min(HIGHEST);
        number_value(self.told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_counter_that_began_anew_counts_on_and_one_that_flickers_stands_still() {
        let mut counter = Counter::default();
        let told: Vec<String> = [100, 110, 109, 111, 3, 5]
            .map(|now| counter.raise(now * 1_000_000).unwrap().to_string())
            .into();
        assert_eq!(told, ["100", "110", "110", "112", "115", "117"]);
    }

    proptest! {
        #[test]
        fn no_counter_falls(steps in prop::collection::vec(0..=HIGHEST, 0..20)) {
            let (mut counter, mut before) = (Counter::default(), 0);
            for now in steps {
                prop_assert!(counter.raise(now).is_some());
                prop_assert!(counter.told >= before);
                before = counter.told;
            }
        }

        #[test]
        fn a_higher_number_is_never_shown_lower(a in 0..=HIGHEST, more in 0..10_000_000i128) {
            let told = |number| match number_value(number).unwrap() {
                Value::Whole(whole) => i128::from(whole) * 1_000_000,
                Value::Micro(micros) => i128::from(micros),
                Value::Text(_) => panic!("no number"),
            };
            prop_assert!(told(a) <= told((a + more).min(HIGHEST)));
        }
    }
}
