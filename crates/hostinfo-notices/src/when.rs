//! Points in time as administrators write them.

use std::time::Duration;

use hostinfo_wire::duration;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// The longest time ahead that `+` can say: a year.
const AHEAD_MAX: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// A text that is no point in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no time; expected one as in `2026-11-23 22:00` (local), `2026-11-23T22:00:00Z`, or \
     `+2h` (also s, m, and d for days, up to a year)"
)]
pub struct NoTime(String);

/// The point in time that a text says, to the second: RFC 3339 (`2026-11-23T22:00:00+01:00`), a date
/// and time of `zone` (`2026-11-23 22:00`), or a time after `from` (`+2h`). A local time that comes
/// twice, as clocks are put back, is the first of the two; one that is left out is taken as if the
/// clocks had not been put forward.
///
/// # Errors
/// [`NoTime`].
pub fn parse(text: &str, from: Timestamp, zone: &TimeZone) -> Result<Timestamp, NoTime> {
    let time = match text.strip_prefix('+') {
        Some(ahead) => parse_ahead(ahead).and_then(|ahead| from.checked_add(ahead).ok()),
        None => text.parse().ok().or_else(|| parse_local(text, zone)),
    };
    let second = time.and_then(|time| Timestamp::from_second(time.as_second()).ok());
    second.ok_or_else(|| NoTime(text.to_owned()))
}

fn parse_ahead(text: &str) -> Option<Duration> {
    const HOURS_A_DAY: u32 = 24;
    match text.strip_suffix('d') {
        Some(days) => {
            let hours = duration::parse(&format!("{days}h"), ..=AHEAD_MAX / HOURS_A_DAY)?;
            Some(hours * HOURS_A_DAY)
        }
        None => duration::parse(text, ..=AHEAD_MAX),
    }
}

/// Nothing but digits and what stands between them: an offset or a zone's name that is no part of
/// RFC 3339 would be passed over.
fn parse_local(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    if text.contains(|c: char| !c.is_ascii_digit() && !"-: T".contains(c)) {
        return None;
    }
    let time: DateTime = text.parse().ok()?;
    zone.to_timestamp(time).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn now() -> Timestamp {
        "2026-11-22T12:00:00.5Z".parse().unwrap()
    }

    fn shown(text: &str) -> Option<String> {
        // Central Europe, as POSIX has it: no database of zones is needed.
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        parse(text, now(), &zone).ok().map(|time| time.to_string())
    }

    #[test]
    fn a_time_is_rfc_3339_or_local_or_ahead() {
        for (text, time) in [
            ("2026-11-23T22:00:00Z", "2026-11-23T22:00:00Z"),
            ("2026-11-23T22:00:00.9Z", "2026-11-23T22:00:00Z"),
            ("2026-11-23T22:00:00-05:00", "2026-11-24T03:00:00Z"),
            ("2026-11-23 22:00", "2026-11-23T21:00:00Z"),
            ("2026-07-23T22:00:30", "2026-07-23T20:00:30Z"),
            ("2026-11-23", "2026-11-22T23:00:00Z"),
            ("+2h", "2026-11-22T14:00:00Z"),
            ("+90m", "2026-11-22T13:30:00Z"),
            ("+1.5d", "2026-11-24T00:00:00Z"),
            ("+366d", "2027-11-23T12:00:00Z"),
            ("+0", "2026-11-22T12:00:00Z"),
        ] {
            assert_eq!(shown(text).as_deref(), Some(time), "{text}");
        }
    }

    #[test]
    fn a_local_time_that_comes_twice_is_the_first_and_one_that_is_left_out_is_after_it() {
        assert_eq!(shown("2026-10-25 02:30").unwrap(), "2026-10-25T00:30:00Z");
        assert_eq!(shown("2026-03-29 02:30").unwrap(), "2026-03-29T01:30:00Z");
    }

    #[test]
    fn anything_else_is_no_time_and_the_error_says_what_is() {
        for text in [
            "",
            "now",
            "22:00",
            "+",
            "+h",
            "2h",
            "-2h",
            "+-2h",
            "+367d",
            "+1d2h",
            "+ 2h",
            "tomorrow",
            "2026-13-01 22:00",
            "2026-11-23 25:00",
            "2026-11-23 22:00 CET",
            "1763794623",
            "2026-11-23T22:00[Europe/Berlin]",
            "2026-11-23 22:00 ",
        ] {
            assert_eq!(shown(text), None, "{text:?}");
        }
        assert!(NoTime("x".to_owned()).to_string().starts_with("\"x\" is no time; expected"));
    }

    proptest! {
        #[test]
        fn any_text_has_an_answer(text in "\\PC{0,30}|[+0-9.:TZ -]{0,30}[smhd]?") {
            let _ = parse(&text, now(), &TimeZone::UTC);
        }
    }
}
