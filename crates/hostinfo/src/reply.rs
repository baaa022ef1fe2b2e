//! The host's answer.

use std::time::Duration;

use hostinfo_wire::Code;
use hostinfo_wire::limits::INTERVAL_MAX;

/// One line of a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// Its result.
    pub(crate) code: Code,
    /// The text after the code, all of it [printable](hostinfo_wire::text::is_printable).
    pub(crate) text: String,
}

impl Line {
    /// The name that a line of a reply to `get` is about: `loadavg.1=0.42`, `host.name: not
    /// permitted`. `None` if it has none, like the single line for a guest that may not ask.
    pub(crate) fn subject(&self) -> Option<&str> {
        let end = if self.code == Code::Done { "=" } else { ": " };
        self.text.split_once(end).map(|(name, _)| name)
    }
}

/// The time that must pass between two queries of this guest, from the value of `interval`. No host has a longer one
/// than [`INTERVAL_MAX`], and whatever else answers might say any.
pub(crate) fn interval(value: &str) -> Option<Duration> {
    let interval = Duration::try_from_secs_f64(value.parse().ok()?).ok()?;
    Some(interval.min(INTERVAL_MAX))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What this program calculates with.
    const CALCULATED: [&str; 16] = [
        "sample.age",
        "interval",
        "time",
        "session.start",
        "vm.cpu.seconds",
        "vm.cpu.delay",
        "vm.cpu.0.seconds",
        "vm.cpu.throttled",
        "vm.cpu.quota",
        "vm.cpu.contention",
        "vm.memory.swapped",
        "vm.memory.balloon.taken",
        "vm.disk.vda.latency",
        "loadavg.1",
        "verdict.cpu",
        "verdict.incident.1",
    ];

    /// A reply of numbers such as no host sends.
    pub(crate) fn any_figures() -> impl Strategy<Value = Vec<Line>> {
        let numbers = prop_oneof![
            (0_usize..=22, any::<u8>())
                .prop_map(|(zeros, digit)| format!("{digit}{:0<zeros$}", "")),
            any::<u64>().prop_map(|number| number.to_string()),
            any::<f64>().prop_map(|number| number.to_string()),
        ];
        let texts = |number: String| {
            let incident = "cpu contended from 2026-11-28T10:02Z to now";
            prop::sample::select(vec![
                format!("unknown: ask again in {number} s"),
                format!("{incident}: {number}% waited"),
                number,
            ])
        };
        let line = (prop::sample::select(&CALCULATED[..]), numbers.prop_flat_map(texts))
            .prop_map(|(name, value)| Line { code: Code::Done, text: format!("{name}={value}") });
        prop::collection::vec(line, 0..40)
    }

    #[test]
    fn no_interval_is_longer_than_a_rule_may_set() {
        assert_eq!(interval("0.5"), Some(Duration::from_millis(500)));
        assert_eq!(interval("10000000000000000000"), Some(INTERVAL_MAX));
        assert_eq!(interval("-1"), None);
    }
}
