//! Verdicts on any figures at all.

use std::time::Duration;

use hostinfo_catalog::StatId;
use hostinfo_sample::{Bounds, Used};
use hostinfo_verdict::{Interval, Sample, cpu, io, memory};
use hostinfo_wire::Value;
use proptest::prelude::*;

fn any_value() -> impl Strategy<Value = Option<Value<'static>>> {
    prop_oneof![
        1 => Just(None),
        1 => Just(Some(Value::Text("x".into()))),
        4 => any::<u64>().prop_map(|number| Some(Value::Whole(number))),
        4 => (0..200_000_000i64).prop_map(|micros| Some(Value::Micro(micros))),
        2 => any::<i64>().prop_map(|micros| Some(Value::Micro(micros))),
        2 => (0..5000u64).prop_map(|number| Some(Value::Whole(number))),
    ]
}

fn any_bounds() -> impl Strategy<Value = Bounds> {
    let used = || proptest::option::of(any::<(u64, u64)>());
    (any::<Option<u64>>(), used(), used()).prop_map(|(throttled, memory, around)| Bounds {
        throttled_around: throttled.map(Duration::from_nanos),
        memory: memory.map(|(bytes, limit)| Used { bytes, limit }),
        memory_around: around.map(|(bytes, limit)| Used { bytes, limit }),
        ..Bounds::default()
    })
}

fn any_sample(disk: String) -> impl Strategy<Value = Sample> {
    let values = proptest::collection::vec(any_value(), StatId::COUNT);
    (values, any_bounds()).prop_map(move |(values, bounds)| {
        Sample::take(["vda", &disk], bounds, |stat, _| values.get(stat.index()).cloned().flatten())
    })
}

proptest! {
    #[test]
    fn any_figures_have_a_verdict_of_one_short_line(
        (before, after) in "\\PC{0,300}".prop_flat_map(|disk| (any_sample(disk.clone()), any_sample(disk))),
        length in prop_oneof![Just(Duration::ZERO), Just(Duration::MAX), (1..100_000u64).prop_map(Duration::from_millis)],
        permitted: u64,
    ) {
        let permits = |stat: StatId, _: Option<&str>| {
            permitted.rotate_left(u32::try_from(stat.index()).unwrap()) & 1 == 1
        };
        let interval = Interval::new(vec![(Duration::ZERO, &before), (length, &after)]);
        for judge in [cpu, memory, io] {
            let verdict = judge(&interval, &permits).to_string();
            prop_assert!(verdict.len() <= 400, "{}", verdict);
            prop_assert!(!verdict.contains(char::is_control), "{}", verdict);
            prop_assert_eq!(verdict.trim(), &verdict);
            let told_nothing = judge(&interval, &|_, _| false).reason;
            let window = format!("the last {} s", length.as_millis().saturating_add(500) / 1000);
            prop_assert!(!told_nothing.replace(&window, "").contains(|c: char| c.is_ascii_digit()), "{}", told_nothing);
        }
    }
}
