//! Shares of time.

use std::fmt;
use std::time::Duration;

/// In millionths. Can exceed 1, since several threads may wait at once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Share(u64);

impl Share {
    pub(crate) const fn percent(percent: u64) -> Self {
        Self(percent * 10_000)
    }

    pub(crate) const fn per_mille(per_mille: u64) -> Self {
        Self(per_mille * 1000)
    }

    /// `part` of `whole`. Zero if both are zero.
    pub(crate) fn of(part: Duration, whole: Duration) -> Self {
        Self::ratio(part.as_nanos(), whole.as_nanos())
    }

    pub(crate) fn ratio(part: u128, whole: u128) -> Self {
        let millionths = part.saturating_mul(1_000_000) / whole.max(1);
        Self(u64::try_from(millionths).unwrap_or(u64::MAX))
    }
}

/// Whole percents, at most 100.
impl fmt::Display for Share {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}%", (self.0.min(1_000_000) + 5_000) / 10_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_shown_in_whole_percents_of_which_there_are_no_more_than_100() {
        let shown = |part| Share::ratio(part, 1000).to_string();
        assert_eq!([shown(0), shown(4), shown(5), shown(314)], ["0%", "0%", "1%", "31%"]);
        assert_eq!([shown(1000), shown(7000), shown(u128::MAX)], ["100%"; 3]);
        assert_eq!(Share::of(Duration::MAX, Duration::ZERO).to_string(), "100%");
        assert_eq!(Share::of(Duration::ZERO, Duration::ZERO), Share::percent(0));
    }
}
