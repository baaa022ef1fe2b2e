//! Converts base units to a readable form.

use std::fmt::Display;
use std::time::Duration;

use hostinfo_catalog::{Kind, Unit};

/// A value in readable form. Anything from a newer host that this program does not know is left
/// unchanged.
pub(crate) fn human(value: &str, kind: &str, unit: &str) -> String {
    let known: Option<Unit> = unit.parse().ok();
    let number = value.parse::<f64>().ok().filter(|number| number.is_finite());
    let (Some(number), Some(unit)) = (number, known) else {
        return match known {
            Some(_) => value.to_owned(),
            None => format!("{value} {unit}").trim_end().to_owned(),
        };
    };
    match unit {
        _ if kind == Kind::Info.word() => value.to_owned(),
        Unit::None => value.to_owned(),
        Unit::Bytes => scaled(number, 1024.0, &["B", "KiB", "MiB", "GiB", "TiB", "PiB"]),
        Unit::Hertz => scaled(number, 1000.0, &["Hz", "kHz", "MHz", "GHz"]),
        Unit::Joules => scaled(number, 1000.0, &["J", "kJ", "MJ", "GJ"]),
        Unit::Cpus if number == 1.0 => "1 CPU".to_owned(),
        Unit::Cpus => format!("{value} CPUs"),
        Unit::Ratio => format!("{}%", short(number * 100.0)),
        Unit::Seconds => point_in_time(value, kind).unwrap_or_else(|| {
            Duration::try_from_secs_f64(number).map_or_else(|_| format!("{value} s"), duration)
        }),
    }
}

/// The two largest units of a time of a minute or more, a single number below that.
pub(crate) fn duration(time: Duration) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    let seconds = time.as_secs();
    let two = |great: u64, great_name, small: u64, small_name| match seconds % great / small {
        0 => format!("{} {great_name}", seconds / great),
        rest => format!("{} {great_name} {rest} {small_name}", seconds / great),
    };
    match seconds {
        DAY.. => two(DAY, "d", HOUR, "h"),
        HOUR.. => two(HOUR, "h", MINUTE, "min"),
        MINUTE.. => two(MINUTE, "min", 1, "s"),
        _ if time >= Duration::from_secs(1) || time.is_zero() => {
            format!("{} s", short(time.as_secs_f64()))
        }
        _ => scaled(time.as_secs_f64() * 1e6, 1000.0, &["µs", "ms", "s"]),
    }
}

/// How long something still takes, in whole seconds, and not a moment too early: at 0.4 s there is 1 s left.
pub(crate) fn left(time: Duration) -> String {
    duration(Duration::from_secs(time.as_secs() + u64::from(time.subsec_nanos() > 0)))
}

/// `1 sample`, `2 samples`
pub(crate) fn counted<N: Display + PartialEq + From<u8>>(number: N, what: &str) -> String {
    let ending = if number == N::from(1) { "" } else { "s" };
    format!("{number} {what}{ending}")
}

/// A gauge of a billion seconds is not a duration, which would be 31 years, but a point in time
/// after 2001. This also works for a statistic that this program does not know.
fn point_in_time(value: &str, kind: &str) -> Option<String> {
    const FIRST: i64 = 1_000_000_000;
    let whole = value.split('.').next()?.parse().ok()?;
    if kind != Kind::Gauge.word() || whole < FIRST {
        return None;
    }
    let time = jiff::Timestamp::from_second(whole).ok()?;
    Some(at(time))
}

/// `2026-11-28 10:02:31 UTC`
pub(crate) fn at(time: jiff::Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// The text with its points in time as all texts show them, `2026-11-28 10:02 UTC`, instead of as
/// hosts send them, `2026-11-28T10:02Z`.
pub(crate) fn with_times(text: &str) -> String {
    let word = |word: &str| {
        let time = word.trim_end_matches([':', ',', '.']);
        let rest = word.get(time.len()..).unwrap_or_default();
        match date_and_clock(time) {
            Some((date, clock)) => format!("{date} {clock} UTC{rest}"),
            None => word.to_owned(),
        }
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// An incident, such as `cpu contended from 2026-11-28T10:02Z to now: 34% waited`, with its times as all texts show
/// them. Hosts tell them to the minute, and move them back by up to one.
pub(crate) fn incident(text: &str) -> String {
    let about = within_a_minute(text).or_else(|| {
        let (what, times) = text.split_once(" from ")?;
        date_and_clock(times.split([' ', ',']).next()?)?;
        Some(format!("{what} from about {times}"))
    });
    with_times(about.as_deref().unwrap_or(text))
}

/// The words for one that began and ended in the same minute.
fn within_a_minute(incident: &str) -> Option<String> {
    let (what, times) = incident.split_once(" from ")?;
    let (from, to) = times.split_once(" to ")?;
    let figure =
        to.strip_prefix(from).filter(|figure| figure.is_empty() || figure.starts_with(':'))?;
    date_and_clock(from)?;
    Some(format!("{what} at about {from}, for less than a minute{figure}"))
}

fn date_and_clock(time: &str) -> Option<(&str, &str)> {
    let (date, clock) = time.strip_suffix('Z')?.split_once('T')?;
    (has_form(date, "0000-00-00") && is_clock(clock)).then_some((date, clock))
}

fn is_clock(text: &str) -> bool {
    has_form(text, "00:00") || has_form(text, "00:00:00")
}

/// Whether a text has a digit for each 0 in `form`, and is the same otherwise.
fn has_form(text: &str, form: &str) -> bool {
    let is_same = |(byte, own): (u8, u8)| byte == own || (own == b'0' && byte.is_ascii_digit());
    text.len() == form.len() && text.bytes().zip(form.bytes()).all(is_same)
}

/// The number in the largest of the units, each `factor` of the one before it, in which it is at
/// least 1.
fn scaled(mut number: f64, factor: f64, units: &[&str]) -> String {
    let mut units = units.iter();
    let mut unit = units.next();
    // A number that would be rounded up to the factor belongs to the next unit.
    while number.abs() >= factor - 0.5
        && let Some(next) = units.next()
    {
        number /= factor;
        unit = Some(next);
    }
    format!("{} {}", short(number), unit.unwrap_or(&""))
}

/// A number with three significant digits, or its whole integer part.
fn short(number: f64) -> String {
    let decimals = match number.abs() {
        100.0.. => 0,
        10.0.. => 1,
        _ => 2,
    };
    let text = format!("{number:.decimals$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_unit_is_shown_as_a_person_says_it() {
        for (value, unit, shown) in [
            ("0", "bytes", "0 B"),
            ("1023", "bytes", "1023 B"),
            ("16773406720", "bytes", "15.6 GiB"),
            ("1073741823", "bytes", "1 GiB"),
            ("18446744073709551615", "bytes", "16384 PiB"),
            ("3400000000", "hertz", "3.4 GHz"),
            ("999999", "hertz", "1 MHz"),
            ("1500", "joules", "1.5 kJ"),
            ("64", "cpus", "64 CPUs"),
            ("1", "cpus", "1 CPU"),
            ("0.1234", "ratio", "12.3%"),
            ("2.5", "ratio", "250%"),
            ("0", "ratio", "0%"),
            ("0.42", "-", "0.42"),
        ] {
            assert_eq!(human(value, "gauge", unit), shown, "{value} {unit}");
        }
    }

    #[test]
    fn seconds_are_a_duration_in_two_parts() {
        for (value, shown) in [
            ("0", "0 s"),
            ("0.00025", "250 µs"),
            ("0.0125", "12.5 ms"),
            ("0.1", "100 ms"),
            ("0.9999", "1 s"),
            ("1", "1 s"),
            ("59.97", "60 s"),
            ("60", "1 min"),
            ("303.9", "5 min 3 s"),
            ("3660", "1 h 1 min"),
            ("86400", "1 d"),
            ("1051200", "12 d 4 h"),
            ("-1.5", "-1.5 s"),
        ] {
            assert_eq!(human(value, "counter", "seconds"), shown, "{value}");
        }
    }

    #[test]
    fn a_gauge_of_a_billion_seconds_is_a_point_in_time_and_a_counter_is_not() {
        assert_eq!(human("1763794623.25", "gauge", "seconds"), "2025-11-22 06:57:03 UTC");
        assert_eq!(human("1763794623", "counter", "seconds"), "20414 d 6 h");
        assert_eq!(human("999999999", "gauge", "seconds"), "11574 d 1 h");
    }

    #[test]
    fn points_in_time_have_one_form_in_all_texts() {
        for (sent, shown) in [
            ("from 2026-11-28T10:02Z, on", "from 2026-11-28 10:02 UTC, on"),
            ("at 2026-12-01T22:00:00Z: x", "at 2026-12-01 22:00:00 UTC: x"),
            ("T Z 2026-12-01T22Z 2026-12-0éT22:00Z", "T Z 2026-12-01T22Z 2026-12-0éT22:00Z"),
        ] {
            assert_eq!(with_times(sent), shown);
        }
    }

    #[test]
    fn the_times_of_an_incident_are_approximate_and_the_text_says_so() {
        for (sent, shown) in [
            (
                "cpu contended from 2026-11-28T10:02Z to 2026-11-28T10:05Z: 34% waited",
                "cpu contended from about 2026-11-28 10:02 UTC to 2026-11-28 10:05 UTC: 34% waited",
            ),
            (
                "cpu contended from 2026-11-28T10:02Z to 2026-11-28T10:02Z: 34% waited",
                "cpu contended at about 2026-11-28 10:02 UTC, for less than a minute: 34% waited",
            ),
            ("io ok from 2026-11-28T10:02Z, on", "io ok from about 2026-11-28 10:02 UTC, on"),
            ("moved from a to a: b", "moved from a to a: b"),
        ] {
            assert_eq!(incident(sent), shown);
        }
    }

    #[test]
    fn a_value_without_a_known_unit_stays_as_it_is() {
        assert_eq!(human("12", "gauge", "kelvins"), "12 kelvins");
        assert_eq!(human("12", "", ""), "12");
        assert_eq!(human("ok: nothing waits", "info", "-"), "ok: nothing waits");
        assert_eq!(human("nan", "gauge", "bytes"), "nan");
        assert_eq!(human("9".repeat(30).as_str(), "gauge", "seconds").chars().last(), Some('s'));
        assert_eq!(human("12", "info", "seconds"), "12");
    }

    proptest! {
        #[test]
        fn any_value_has_words(value in "\\PC{0,20}|-?[0-9]{1,20}(\\.[0-9]{1,6})?", unit in 0..Unit::ALL.len()) {
            let _ = (human(&value, "gauge", Unit::ALL[unit].word()), with_times(&value), incident(&value));
        }

        #[test]
        fn more_bytes_are_never_shown_as_a_smaller_unit(small in 0u64.., more in 0u64..) {
            let rank = |bytes: u64| {
                let shown = human(&bytes.to_string(), "gauge", "bytes");
                ["B", "KiB", "MiB", "GiB", "TiB", "PiB"].iter().position(|unit| shown.split(' ').nth(1) == Some(unit))
            };
            prop_assert!(rank(small) <= rank(small.saturating_add(more)));
        }
    }
}
