//! Times in definitions: `10s`, `500ms`, `5m`, `24h`, as in hostinfo.conf.

use std::ops::RangeInclusive;
use std::time::Duration;

/// A time within `range`: a decimal number of seconds, or of the unit behind it.
pub(crate) fn time(text: &str, range: RangeInclusive<Duration>) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    if whole.is_empty() || part.is_empty() {
        return None;
    }
    let unit = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return None,
    };
    let seconds = number.parse::<f64>().ok()? * unit;
    Duration::try_from_secs_f64(seconds).ok().filter(|time| range.contains(time))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RANGE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(86_400);

    #[test]
    fn a_time_is_in_seconds_or_in_the_unit_behind_it() {
        for (text, millis) in [
            ("10s", 10_000),
            ("1500ms", 1_500),
            ("5m", 300_000),
            ("24h", 86_400_000),
            ("60", 60_000),
        ] {
            assert_eq!(time(text, RANGE), Some(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn what_is_out_of_range_or_no_time_is_none() {
        for text in ["", "0", "999ms", "25h", "-1s", "1e3", ".5", "5.", "1.2.3s", "s", "5 m", "1d"]
        {
            assert_eq!(time(text, RANGE), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_has_an_answer(text in "\\PC{0,20}|[0-9.]{0,30}[a-z]{0,2}") {
            prop_assert!(time(&text, RANGE).is_none_or(|time| RANGE.contains(&time)));
        }
    }
}
