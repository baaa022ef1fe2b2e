//! Times as administrators write them: `60`, `0.5`, `500ms`, `10s`, `5m`, `24h`.

use std::ops::RangeBounds;
use std::time::Duration;

/// A time within `range`: a decimal number of seconds, or of the unit that follows it. `None` if the text is
/// anything else, or out of range.
pub fn parse(text: &str, range: impl RangeBounds<Duration>) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    let is_number = |digits: &str| digits.bytes().all(|b| b.is_ascii_digit()) && !digits.is_empty();
    if !is_number(whole) || !is_number(part) {
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

    const SECOND: Duration = Duration::from_secs(1);
    const DAY: Duration = Duration::from_secs(86_400);

    #[test]
    fn a_time_is_in_seconds_or_in_the_unit_behind_it() {
        for (text, millis) in [
            ("0", 0),
            ("60", 60_000),
            ("0.5", 500),
            ("007", 7_000),
            ("2s", 2_000),
            ("500ms", 500),
            ("0.1", 100),
            ("5m", 300_000),
            ("1.5h", 5_400_000),
            ("24h", 86_400_000),
            ("86400", 86_400_000),
            ("1440.0m", 86_400_000),
        ] {
            assert_eq!(parse(text, ..=DAY), Some(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn a_time_has_no_sign_exponent_word_or_blank() {
        for text in [
            "", "-1", "+1", "1e3", "1E3", "nan", "inf", "infinity", "0x10", "1_000", ".5", "5.",
            ".", "1.2.3", "1,5", "5 m", "m", "ms", "5M", "5d", "5min", "5 ", "٣", "1h30m",
        ] {
            assert_eq!(parse(text, ..=DAY), None, "{text}");
        }
    }

    #[test]
    fn a_time_is_within_its_range() {
        let digits = "9".repeat(400);
        for text in ["0", "999ms", "86400.001", "86401", "24.001h", "1441m", "86400001ms", &digits]
        {
            assert_eq!(parse(text, SECOND..=DAY), None, "{text}");
        }
        assert_eq!(parse("1000ms", SECOND..=DAY), Some(SECOND));
    }

    proptest! {
        #[test]
        fn any_text_is_a_time_within_the_range_or_none(text in "\\PC{0,20}|[0-9.]{0,30}[a-z]{0,2}") {
            prop_assert!(parse(&text, ..=DAY).is_none_or(|time| time <= DAY));
        }

        #[test]
        fn milliseconds_are_exact(millis in 0u64..=86_400_000) {
            let expected = Some(Duration::from_millis(millis));
            let seconds = format!("{}.{:03}", millis / 1000, millis % 1000);
            prop_assert_eq!(parse(&format!("{millis}ms"), ..=DAY), expected);
            prop_assert_eq!(parse(&seconds, ..=DAY), expected);
        }
    }
}
