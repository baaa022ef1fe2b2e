//! The kernel's texts: `cpu.max`, `cpu.shares` and `cpu.stat`.

use crate::Absent;
use crate::text::{number, numbers, words};

pub(super) const UNTOLD: Absent =
    Absent::untold_of_guest("cpu.stat, cpu.max or cpu.weight of the guest's cgroup lacks a figure");

/// ```text
/// 50000 100000
/// max 100000
/// ```
///
/// Millionths of a CPU; `Some(None)` is no quota.
pub(crate) fn cpu_max(text: &[u8]) -> Option<Option<u64>> {
    let mut words = words(text);
    let (quota, period) = (words.next()?, number(words.next()?)?);
    if quota == b"max" { Some(None) } else { in_cpus((number(quota)?, period)).map(Some) }
}

/// Microseconds of CPU time per period, converted to millionths of a CPU.
pub(super) fn in_cpus((quota, period): (u64, u64)) -> Option<u64> {
    let micros = u128::from(quota).checked_mul(1_000_000)?.checked_div(u128::from(period))?;
    u64::try_from(micros).ok()
}

/// Converts v1's shares to v2's weight as the kernel does: 1,024 become 100.
pub(super) fn weight_of(shares: u64) -> u64 {
    (shares.saturating_mul(100).saturating_add(512) / 1024).clamp(1, 10_000)
}

/// ```text
/// usage_usec 9130511
/// nr_periods 120
/// nr_throttled 31
/// throttled_usec 482113
/// ```
///
/// In nanoseconds. v1 has `throttled_time 482113000`, already in nanoseconds. Without the
/// controller, v2 only has the first line and its parts.
pub(crate) fn throttled(text: &[u8]) -> Result<Option<u64>, Absent> {
    let [usec, nanos, usage] = numbers(text, ["throttled_usec", "throttled_time", "usage_usec"]);
    match (usec, nanos) {
        (Some(usec), _) => usec.and_then(|usec| usec.checked_mul(1000)).map(Some).ok_or(UNTOLD),
        (None, Some(nanos)) => nanos.map(Some).ok_or(UNTOLD),
        (None, None) => usage.flatten().map(|_| None).ok_or(UNTOLD),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn throttled_time_is_in_nanoseconds_in_both_versions() {
        // Linux 5.14 and 6.18.
        let v2 = "usage_usec 9\nuser_usec 8\nsystem_usec 1\nnr_periods 2\nnr_throttled 1\n\
                  throttled_usec 482113\nnr_bursts 0\nburst_usec 0\n";
        assert_eq!(throttled(v2.as_bytes()), Ok(Some(482_113_000)));
        let v1 = "nr_periods 2\nnr_throttled 1\nthrottled_time 482113001\nnr_bursts 0\n";
        assert_eq!(throttled(v1.as_bytes()), Ok(Some(482_113_001)));
    }

    #[test]
    fn without_the_controller_nothing_is_throttled_and_of_an_absurd_file_nothing_is_known() {
        assert_eq!(throttled(b"usage_usec 9\nuser_usec 8\nsystem_usec 1\n"), Ok(None));
        for text in ["throttled_usec -1\n", "throttled_usec 18446744073709551615\n", "", "x\n"] {
            assert_eq!(throttled(text.as_bytes()), Err(UNTOLD), "{text}");
        }
    }

    #[test]
    fn no_quota_is_told_from_an_absurd_one() {
        assert_eq!(cpu_max(b"40000 100000\n"), Some(Some(400_000)));
        assert_eq!(cpu_max(b"max 100000\n"), Some(None));
        for text in ["", "max", "40000", "-1 100000", "40000 0", "max max"] {
            assert_eq!(cpu_max(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_quota_is_in_cpus() {
        assert_eq!(in_cpus((50_000, 100_000)), Some(500_000));
        assert_eq!(in_cpus((250_000, 100_000)), Some(2_500_000));
        assert_eq!(in_cpus((1, 0)), None);
        assert_eq!(in_cpus((u64::MAX, 1)), None);
    }

    #[test]
    fn shares_become_the_weight_that_the_kernel_would_make_of_them() {
        let weights = [(1024, 100), (2048, 200), (2, 1), (262_144, 10_000), (512, 50), (0, 1)];
        for (shares, weight) in weights {
            assert_eq!(weight_of(shares), weight, "{shares}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_answer(bytes: Vec<u8>, quota: u64, period: u64) {
            let _ = (throttled(&bytes), cpu_max(&bytes));
            in_cpus((quota, period));
            prop_assert!((1..=10_000).contains(&weight_of(quota)));
        }
    }
}
