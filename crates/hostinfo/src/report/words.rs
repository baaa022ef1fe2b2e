//! Times, shares and names in the words of a report.

use std::time::Duration;

use crate::units;

/// Points in time of a recording that is shorter have seconds.
const LONG: i64 = 10 * 60;

/// `: your vCPUs waited`
pub(crate) fn because(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(": {reason}") }
}

/// `34 min`
pub(crate) fn span(seconds: i64) -> String {
    units::duration(Duration::from_secs(u64::try_from(seconds).unwrap_or_default()))
}

/// `2.4%`, `67%`: rounded, but never to nothing or to everything.
pub(crate) fn share(part: i64, all: i64) -> String {
    let rounded = |of: i64| (part.saturating_mul(of).saturating_add(all / 2)) / all.max(1);
    match (rounded(1000), rounded(100)) {
        _ if part <= 0 => "0%".to_owned(),
        (0, _) => "under 0.1%".to_owned(),
        (tenths @ 1..100, _) => format!("{}.{}%", tenths / 10, tenths % 10),
        (_, 100) if part < all => "over 99%".to_owned(),
        (_, percent) => format!("{percent}%"),
    }
}

/// A point in time of a recording of that length: in minutes, and in a short one with seconds.
pub(crate) fn moment(time: i64, length: i64) -> String {
    let form = if length < LONG { "%Y-%m-%d %H:%M:%S" } else { "%Y-%m-%d %H:%M" };
    jiff::Timestamp::from_second(time)
        .map_or_else(|_| time.to_string(), |time| time.strftime(form).to_string())
}

/// The resource's name for the beginning of a line.
pub(crate) fn spoken(resource: &str) -> &str {
    match resource {
        "cpu" => "CPU time",
        "memory" => "Memory",
        "io" => "Disk I/O",
        "net" => "Network",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_told_with_a_digit_where_they_are_small() {
        assert_eq!([share(1, 10_000), share(24, 1000), share(1, 2)], ["under 0.1%", "2.4%", "50%"]);
        assert_eq!(share(0, 0), "0%");
        let rounded = [(2, 3, "67%"), (1, 30, "3.3%"), (2, 30, "6.7%"), (995, 10_000, "10%")];
        for (part, all, told) in rounded {
            assert_eq!(share(part, all), told, "{part} of {all}");
        }
        let ends = [(999, 1000, "over 99%"), (1000, 1000, "100%"), (6, 10_000, "0.1%")];
        for (part, all, told) in ends {
            assert_eq!(share(part, all), told, "{part} of {all}");
        }
    }
}
