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

pub(super) fn timeout(text: &str) -> Result<Duration, String> {
    const LEAST: Duration = Duration::from_millis(1);
    const MOST: Duration = Duration::from_secs(3600);
    duration::parse(text, LEAST..=MOST)
        .ok_or_else(|| "a time from 1ms to 1h, such as 5, 0.5s or 500ms".to_owned())
}
