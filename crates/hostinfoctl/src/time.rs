//! Times in the form that administrators write and read.

use std::time::Duration;

use jiff::civil::{self, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Unit, Zoned};

use crate::exit::Failure;

/// The longest accepted offset, such as `+90m`: anything longer is a typing error.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// Parses a time on the command line. `from` supplies the time zone, and the day for a time of day,
/// which means the next one after `from`.
///
/// # Errors
/// [`Failure::Usage`].
pub(crate) fn parse(text: &str, from: &Zoned) -> Result<Timestamp, Failure> {
    let wrong = || {
        Failure::Usage(format!(
            "invalid time {text:?}: expected 22:00, '2026-11-22 22:00', +90m, or \
             2026-11-22T22:00:00Z"
        ))
    };
    if let Some(ahead) = text.strip_prefix('+') {
        // `+5` does not say whether it means minutes.
        let ahead = Some(ahead).filter(|ahead| ahead.ends_with(char::is_alphabetic));
        let ahead = ahead.and_then(|ahead| hostinfo_wire::duration::parse(ahead, ..=LONGEST));
        let ahead = ahead.ok_or_else(wrong)?;
        let ahead = SignedDuration::try_from(ahead).map_err(|_| wrong())?;
        return from.timestamp().checked_add(ahead).map_err(|_| wrong());
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    // The parsers below would ignore an offset or a time zone that is not RFC 3339.
    if text.contains(|c: char| !c.is_ascii_digit() && !"-: T".contains(c)) {
        return Err(wrong());
    }
    let zone = from.time_zone();
    // This comes first, because the parser of a time of day also accepts a date with a time.
    if let Ok(there) = text.parse::<DateTime>() {
        return there.to_zoned(zone.clone()).map(|time| time.timestamp()).map_err(|_| wrong());
    }
    let clock: civil::Time = text.parse().map_err(|_| wrong())?;
    let today = from.date().to_datetime(clock).to_zoned(zone.clone()).map_err(|_| wrong())?;
    let next = if today > *from { Ok(today) } else { tomorrow(from, clock, zone) };
    next.map(|next| next.timestamp()).map_err(|_| wrong())
}

fn tomorrow(from: &Zoned, clock: civil::Time, zone: &TimeZone) -> Result<Zoned, jiff::Error> {
    from.date().tomorrow()?.to_datetime(clock).to_zoned(zone.clone())
}

/// `2026-11-22 22:00:00 +01:00`, in this host's time zone; `UTC`, as guests read it, where that is the zone.
pub(crate) fn local(time: Timestamp) -> String {
    shown(&time.to_zoned(TimeZone::system()))
}

fn shown(there: &Zoned) -> String {
    let zone = if there.offset().is_zero() { "UTC" } else { "%:z" };
    there.strftime(&format!("%Y-%m-%d %H:%M:%S {zone}")).to_string()
}

/// `12 s ago`
pub(crate) fn ago(time: Timestamp, now: Timestamp) -> String {
    let span = now.duration_since(time).max(SignedDuration::ZERO);
    let seconds = span.round(Unit::Second).unwrap_or(span).as_secs();
    match seconds {
        0..120 => format!("{seconds} s ago"),
        120..7200 => format!("{} min ago", seconds / 60),
        7200..172_800 => format!("{} h ago", seconds / 3600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The name of a time zone without an offset, which RFC 3339 does not allow.
    const AT_TEN: &str = "2026-11-22T22:00[Europe/Berlin]";

    fn parsed(text: &str) -> Option<String> {
        // One hour east of Greenwich.
        let now: Zoned = "2026-11-22T21:30:00+01:00[+01:00]".parse().unwrap();
        parse(text, &now).ok().map(|time| time.to_string())
    }

    #[test]
    fn a_time_is_shown_with_its_offset_or_as_guests_read_it() {
        let shown = |time: &str| shown(&time.parse().unwrap());
        assert_eq!(shown("2026-11-22T21:30:00+01:00[+01:00]"), "2026-11-22 21:30:00 +01:00");
        assert_eq!(shown("2026-11-22T21:30:00+00:00[UTC]"), "2026-11-22 21:30:00 UTC");
    }

    #[test]
    fn a_time_is_of_this_hosts_zone_unless_it_says_otherwise() {
        for (text, time) in [
            ("22:00", "2026-11-22T21:00:00Z"),
            ("21:00", "2026-11-23T20:00:00Z"),
            ("2026-12-24 18:00", "2026-12-24T17:00:00Z"),
            ("2026-12-24T18:00:00", "2026-12-24T17:00:00Z"),
            ("2026-12-24T18:00:00Z", "2026-12-24T18:00:00Z"),
            ("2026-12-24T18:00+02:00", "2026-12-24T16:00:00Z"),
            ("+90m", "2026-11-22T22:00:00Z"),
            ("+2h", "2026-11-22T22:30:00Z"),
        ] {
            assert_eq!(parsed(text).as_deref(), Some(time), "{text}");
        }
        for text in
            ["", "ten", "25:00", "+", "+5", "+1y", "+99999h", "2026-13-01 10:00", "-1h", AT_TEN]
        {
            assert_eq!(parsed(text), None, "{text}");
        }
    }

    #[test]
    fn an_age_is_told_by_one_number() {
        let now: Timestamp = "2026-11-22T21:30:00Z".parse().unwrap();
        let before = |seconds| ago(now - SignedDuration::from_secs(seconds), now);
        assert_eq!([before(-5), before(59), before(600)], ["0 s ago", "59 s ago", "10 min ago"]);
        assert_eq!([before(7200), before(200_000)], ["2 h ago", "2 d ago"]);
    }
}
