//! The daemon's own metrics as they were made last, for all who ask soon after.

use std::time::Instant;

use hostinfo_wire::http::{self, Wanted};
use hostinfo_wire::limits::SAMPLE_GRID;

/// Answers that were made within [`SAMPLE_GRID`]. To count 10,000 guests takes a millisecond, so whoever asks without
/// end has it done ten times a second at most. With about 20 KiB each, the text and an answer of each kind take 100 KiB.
#[derive(Default)]
pub(super) struct Rendered {
    /// When the metrics were made.
    since: Option<Instant>,
    text: String,
    answers: Vec<(Wanted, Vec<u8>)>,
}

impl Rendered {
    /// The answer with the metrics, which `make` makes unless they were made just before.
    pub(super) fn answer(
        &mut self,
        wanted: Wanted,
        now: Instant,
        make: impl FnOnce() -> String,
    ) -> Vec<u8> {
        if self.since.is_none_or(|since| now.saturating_duration_since(since) >= SAMPLE_GRID) {
            *self = Self { since: Some(now), text: make(), answers: Vec::new() };
        }
        if let Some((_, answer)) = self.answers.iter().find(|(kind, _)| *kind == wanted) {
            return answer.clone();
        }
        let answer = http::metrics(wanted, &self.text);
        self.answers.push((wanted, answer.clone()));
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scrapes_within_a_tenth_of_a_second_share_what_was_rendered_once() {
        let (mut rendered, mut made, start) = (Rendered::default(), 0, Instant::now());
        for millis in 0..1000 {
            let now = start + std::time::Duration::from_millis(millis);
            for (openmetrics, body) in [(true, true), (false, true), (true, false)] {
                let answer = rendered.answer(Wanted { openmetrics, body }, now, || {
                    made += 1;
                    format!("x {made}\n# EOF\n")
                });
                let answer = String::from_utf8(answer).unwrap();
                let has_body = answer.contains(&format!("\r\n\r\nx {}\n", millis / 100 + 1));
                assert!(has_body == body && answer.contains("openmetrics") == openmetrics);
            }
        }
        assert_eq!(made, 10);
    }
}
