//! The text of one value: what it is, and what it is later. Pure.

use std::time::Duration;

use crate::exposition::number;
use crate::listed::Listed;
use crate::verdict::{State, Verdict};

/// Whether a value is text: according to `list`, or else judged by its form.
pub(super) fn is_text(name: &str, value: &str, rows: &[Listed<'_>]) -> bool {
    let exact = rows.iter().find(|row| row.name == name);
    match exact.or_else(|| rows.iter().find(|row| row.describes(name))) {
        Some(row) => row.kind == hostinfo_catalog::Kind::Info.word(),
        None => number(value).is_none(),
    }
}

/// An increased age, rounded up to 0.1 s as the host does.
pub(super) fn older(value: &str, age: Duration) -> Option<String> {
    let then = Duration::try_from_secs_f64(value.parse().ok()?).ok()?;
    let tenths = then.saturating_add(age).as_millis().div_ceil(100);
    let (seconds, tenth) = (tenths / 10, tenths % 10);
    Some(if tenth == 0 { seconds.to_string() } else { format!("{seconds}.{tenth}") })
}

/// A verdict that the host has only begun to work on.
pub(super) fn nearer(value: &str, age: Duration) -> Option<String> {
    let left = Verdict::parse(value).again()?.saturating_sub(age);
    let seconds = left.as_millis().div_ceil(1000).max(1);
    Some(format!("{}: ask again in {seconds} s", State::Unknown.word()))
}
