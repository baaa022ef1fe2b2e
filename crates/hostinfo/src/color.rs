//! Colours for values that need attention.

use anstyle::{AnsiColor, Style};

use crate::verdict::{State, Verdict};

/// The colour of a statistic's value.
pub(crate) fn of(name: &str, value: &str) -> Style {
    let color = match name.split_once('.') {
        Some(("notice", _)) => AnsiColor::Yellow,
        Some(("host", "state")) if value != "normal" => AnsiColor::Yellow,
        Some(("verdict", below)) if !below.starts_with("incident.") => {
            match Verdict::parse(value).state {
                State::Ok => AnsiColor::Green,
                State::Contended => AnsiColor::Red,
                State::SelfLimited | State::Unknown => AnsiColor::Yellow,
            }
        }
        _ => return Style::new(),
    };
    Style::new().fg_color(Some(color.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_asks_for_attention_has_a_colour() {
        for plain in [
            ("memory.total", "1"),
            ("host.state", "normal"),
            ("host.name", "a"),
            ("verdict.incident.1", "cpu contended from 2026-11-28T10:02Z to now: 34% waited"),
        ] {
            assert_eq!(of(plain.0, plain.1), Style::new(), "{plain:?}");
        }
        assert_ne!(of("verdict.io", "ok: x"), of("verdict.io", "contended: x"));
        assert_eq!(of("verdict.io.state", "ok"), of("verdict.io", "ok: x"));
        assert_ne!(of("notice.1", "x"), Style::new());
        assert_ne!(of("host.state", "draining"), Style::new());
    }
}
