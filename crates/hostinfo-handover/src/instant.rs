//! Times of the monotonic clock, which goes on when a process executes another program: nanoseconds of
//! CLOCK_MONOTONIC, clock_gettime(2). For `#[serde(with = "hostinfo_handover::instant")]`.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How far ahead a time may be and still be believed. Nothing is kept for longer than 30 days, so no real one is near
/// this; and the sum of such a time and a setting still fits an [`Instant`].
const AHEAD_MAX: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// How often both clocks are read to find out what one is in the other.
const LOOKS: usize = 8;

/// One time, by both clocks.
struct Anchor {
    instant: Instant,
    monotonic: Duration,
}

/// Between the two readings of [`Instant`] that were closest to each other, which is some tens of nanoseconds.
static ANCHOR: LazyLock<Anchor> = LazyLock::new(|| {
    let looks = (0..LOOKS).map(|_| {
        let before = Instant::now();
        let monotonic = Duration::try_from(clock_gettime(ClockId::Monotonic)).unwrap_or_default();
        let between = before.elapsed();
        (between, Anchor { instant: before + between / 2, monotonic })
    });
    let closest = looks.min_by_key(|(between, _)| *between).map(|(_, anchor)| anchor);
    closest.unwrap_or_else(|| Anchor { instant: Instant::now(), monotonic: Duration::ZERO })
});

/// A time where serde's `with` does not reach, such as in a tuple.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct At(#[serde(with = "self")] pub Instant);

/// Writes a time.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(time: &Instant, serializer: S) -> Result<S::Ok, S::Error> {
    let Anchor { instant, monotonic } = &*ANCHOR;
    let since_boot = match time.checked_duration_since(*instant) {
        Some(after) => monotonic.saturating_add(after),
        None => monotonic.saturating_sub(instant.duration_since(*time)),
    };
    u64::try_from(since_boot.as_nanos()).unwrap_or(u64::MAX).serialize(serializer)
}

/// Reads a time.
///
/// # Errors
/// It is not a number, is more than 400 days ahead, or is too long ago for an [`Instant`].
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Instant, D::Error> {
    let since_boot = Duration::from_nanos(u64::deserialize(deserializer)?);
    let Anchor { instant, monotonic } = &*ANCHOR;
    let time = match since_boot.checked_sub(*monotonic) {
        Some(after) => Some(after)
            .filter(|after| *after <= AHEAD_MAX)
            .and_then(|after| instant.checked_add(after)),
        None => instant.checked_sub(monotonic.saturating_sub(since_boot)),
    };
    time.ok_or_else(|| D::Error::custom("a time that cannot be"))
}

/// The same for a time that may be missing.
pub mod option {
    use super::{At, Deserialize, Deserializer, Instant, Serialize, Serializer};

    /// Writes a time, or none.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(
        time: &Option<Instant>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        time.map(At).serialize(serializer)
    }

    /// Reads a time, or none.
    ///
    /// # Errors
    /// As of one that is not missing.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Instant>, D::Error> {
        Ok(Option::<At>::deserialize(deserializer)?.map(|At(time)| time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_comes_back_as_it_was_before_and_after_the_first_look_at_the_clocks() {
        let early = Instant::now();
        LazyLock::force(&ANCHOR);
        for time in [early, Instant::now(), Instant::now() + Duration::from_secs(86_400)] {
            let text = serde_json::to_string(&At(time)).unwrap();
            assert_eq!(serde_json::from_str::<At>(&text).unwrap(), At(time));
        }
    }

    #[test]
    fn a_time_is_that_of_the_kernels_clock_which_another_program_has_as_well() {
        let nanos: u64 = serde_json::to_string(&At(Instant::now())).unwrap().parse().unwrap();
        let now = Duration::try_from(clock_gettime(ClockId::Monotonic)).unwrap();
        assert!(now.abs_diff(Duration::from_nanos(nanos)) < Duration::from_secs(10));
    }

    #[test]
    fn a_time_that_cannot_be_is_refused() {
        for text in ["18446744073709551615", "-1", "\"x\"", "1.5"] {
            assert!(serde_json::from_str::<At>(text).is_err(), "{text}");
        }
    }
}
