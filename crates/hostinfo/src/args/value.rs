//! Values that several commands take.

use std::time::Duration;

use hostinfo_wire::duration;
use hostinfo_wire::name::is_name;

/// A word that may stand in a request. It is checked here because a line end in it would
/// begin another request.
pub(super) fn name(word: &str) -> Result<String, String> {
    let stem = word.strip_suffix(".*").unwrap_or(word);
    if word == "*" || is_name(stem) {
        Ok(word.to_owned())
    } else {
        Err("a name consists of letters, digits, _ and -, with single dots between its parts"
            .to_owned())
    }
}

pub(super) fn time(text: &str) -> Result<Duration, String> {
    const LEAST: Duration = Duration::from_secs(1);
    const MOST: Duration = Duration::from_secs(24 * 3600);
    duration::parse(text, LEAST..=MOST)
        .ok_or_else(|| "a time from 1s to 24h, such as 90, 90s or 10m".to_owned())
}

pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    const LONGEST: f64 = 3600.0;
    match text.parse() {
        Ok(seconds) if seconds > 0.0 && seconds <= LONGEST => Ok(Duration::from_secs_f64(seconds)),
        _ => Err(format!("a number of seconds over 0, at most {LONGEST}")),
    }
}
