//! The verdicts on one resource over time, as SVG: a bar in which each state has its own colour and height.

use std::fmt::Write as _;

use crate::report::timeline::Span;
use crate::verdict::State;

/// The left and right edges of the area for charts and bars, and its width, in SVG units.
pub(crate) const LEFT: i64 = 60;
pub(crate) const WIDTH: i64 = 720;
pub(crate) const RIGHT: i64 = LEFT + WIDTH;

/// The greatest height of a bar.
const HEIGHT: i64 = 16;

/// The x coordinate of a time.
pub(crate) fn x(time: i64, start: i64, end: i64) -> i64 {
    let all = (end - start).max(1);
    LEFT + (time - start).clamp(0, all) * WIDTH / all
}

/// The bar of the resource with that number. If several verdicts fall into one drawn column, the worst of them
/// counts. `label` is for screen readers.
pub(crate) fn bar(told: &[Span<'_>], number: usize, start: i64, end: i64, label: &str) -> String {
    let mut columns: Vec<Option<State>> = vec![None; usize::try_from(WIDTH).unwrap_or_default()];
    for span in told {
        let column = |time| usize::try_from(x(time, start, end) - LEFT).unwrap_or_default();
        let first = column(span.from).min(columns.len().saturating_sub(1));
        let width = column(span.to).saturating_sub(first).max(1);
        for place in columns.iter_mut().skip(first).take(width) {
            *place = (*place).max(span.sample.state(number));
        }
    }
    let mut svg = format!(
        "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{label}\">\n\
         <path class=\"axis\" d=\"M{LEFT} {HEIGHT}.5H{RIGHT}\"/>\n",
        RIGHT + 8,
        HEIGHT + 2
    );
    let mut left = LEFT;
    for run in columns.chunk_by(|one, other| one == other) {
        let width = i64::try_from(run.len()).unwrap_or_default();
        if let Some(Some(state)) = run.first() {
            let (height, top) = (height(*state), HEIGHT - height(*state));
            let class = state.word();
            let _ = writeln!(
                svg,
                "<rect class=\"{class}\" x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{height}\"/>"
            );
        }
        left += width;
    }
    svg + "</svg>\n"
}

/// Makes them distinguishable without colours.
fn height(state: State) -> i64 {
    match state {
        State::Contended => HEIGHT,
        State::SelfLimited => HEIGHT * 5 / 8,
        State::Unknown => HEIGHT / 4,
        State::Ok => HEIGHT / 8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::{Heard, Sample};
    use proptest::prelude::*;

    fn bar_of(told: &[(i64, i64, Option<State>)], start: i64, end: i64) -> String {
        let sample = |(_, to, state): &(i64, i64, Option<State>)| {
            Sample::at(*to, Heard::Verdicts([*state, None, None, None]))
        };
        let samples: Vec<Sample> = told.iter().map(sample).collect();
        let spans: Vec<Span<'_>> = told
            .iter()
            .zip(&samples)
            .map(|((from, to, _), sample)| Span { from: *from, to: *to, part: 0, sample })
            .collect();
        bar(&spans, 0, start, end, "CPU")
    }

    #[test]
    fn a_bar_has_a_piece_for_each_change_and_none_where_nothing_is_known() {
        let (ok, bad) = (Some(State::Ok), Some(State::Contended));
        let bar = bar_of(&[(0, 10, ok), (10, 20, ok), (20, 30, bad), (30, 40, None)], 0, 40);
        assert_eq!(bar.matches("<rect").count(), 2);
        assert!(bar.contains("<rect class=\"ok\" x=\"60\" y=\"14\" width=\"360\" height=\"2\"/>"));
        assert!(bar.contains("<rect class=\"contended\" x=\"420\" y=\"0\" width=\"180\""), "{bar}");
    }

    #[test]
    fn a_moment_is_seen_in_a_month() {
        let month = 30 * 24 * 3600;
        let bar = bar_of(&[(month - 10, month, Some(State::Contended))], 0, month);
        assert_eq!(bar.matches("<rect class=\"contended\"").count(), 1, "{bar}");
    }

    proptest! {
        #[test]
        fn any_times_have_a_bar(from in 0i64..253_402_300_799, length in 0i64..1000, start in 0i64..253_402_300_799) {
            let bar = bar_of(&[(from, from + length, Some(State::Ok))], start, start + 100);
            prop_assert!(bar.ends_with("</svg>\n"));
        }
    }
}
