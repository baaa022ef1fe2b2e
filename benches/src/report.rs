//! Figures to a Markdown table, and whether they are good enough.

use std::fmt::Write as _;

/// What a figure has to keep to.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    AtMost(f64),
    AtLeast(f64),
    /// Shown, and good whatever it is.
    None,
}

/// A row of the table.
pub(crate) struct Row {
    what: String,
    daemon: String,
    echo: String,
    /// What the target speaks of: a ratio to echo, or the daemon's own figure.
    figure: f64,
    target: Target,
}

impl Row {
    /// The daemon beside echo: of all rounds, the one whose ratio is in the middle.
    pub(crate) fn compared(
        what: impl Into<String>,
        unit: &str,
        rounds: &[(f64, f64)],
        target: Target,
    ) -> Self {
        let (daemon, echo) = middle(rounds);
        Self {
            what: what.into(),
            daemon: with_unit(daemon, unit),
            echo: with_unit(echo, unit),
            figure: daemon / echo,
            target,
        }
    }

    /// A figure of the daemon alone.
    pub(crate) fn alone(what: impl Into<String>, unit: &str, figure: f64, target: Target) -> Self {
        Self {
            what: what.into(),
            daemon: with_unit(figure, unit),
            echo: String::new(),
            figure,
            target,
        }
    }

    /// A figure of the daemon alone that was measured several times: the one in the middle.
    pub(crate) fn median(
        what: impl Into<String>,
        unit: &str,
        mut figures: Vec<f64>,
        target: Target,
    ) -> Self {
        figures.sort_unstable_by(f64::total_cmp);
        let median = figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN);
        Self::alone(what, unit, median, target)
    }

    /// Whether the target is met.
    pub(crate) fn is_good(&self) -> bool {
        match self.target {
            Target::AtMost(limit) => self.figure <= limit,
            Target::AtLeast(limit) => self.figure >= limit,
            Target::None => true,
        }
    }
}

/// The table.
pub(crate) fn markdown(rows: &[Row]) -> String {
    let mut table = String::from(
        "| what | hostinfod | echo | ratio | target | |\n|---|---:|---:|---:|---|---|\n",
    );
    for row in rows {
        let ratio = if row.echo.is_empty() { String::new() } else { format!("{:.2}", row.figure) };
        let target = match row.target {
            Target::AtMost(limit) => format!("at most {limit}"),
            Target::AtLeast(limit) => format!("at least {limit}"),
            Target::None => String::new(),
        };
        let mark = match (row.target, row.is_good()) {
            (Target::None, _) => "",
            (_, true) => "met",
            (_, false) => "**missed**",
        };
        // Writing to a string does not fail.
        let _ = writeln!(
            table,
            "| {} | {} | {} | {ratio} | {target} | {mark} |",
            row.what, row.daemon, row.echo
        );
    }
    table
}

/// The round with the median ratio.
fn middle(rounds: &[(f64, f64)]) -> (f64, f64) {
    let mut rounds = rounds.to_vec();
    rounds.sort_unstable_by(|a, b| f64::total_cmp(&(a.0 / a.1), &(b.0 / b.1)));
    rounds.get(rounds.len() / 2).copied().unwrap_or((f64::NAN, f64::NAN))
}

fn with_unit(figure: f64, unit: &str) -> String {
    let decimals = match figure {
        _ if figure >= 1000.0 || figure.fract() == 0.0 => 0,
        _ if figure >= 1.0 => 1,
        _ => 2,
    };
    format!("{figure:.decimals$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_round_in_the_middle_speaks_for_all() {
        let row = Row::compared("x", "us", &[(2.0, 1.0), (30.0, 10.0), (4.0, 1.0)], Target::None);
        assert_eq!(row.figure, 3.0);
        assert_eq!((row.daemon.as_str(), row.echo.as_str()), ("30 us", "10 us"));
    }

    #[test]
    fn one_figure_far_off_does_not_move_the_median() {
        let row = Row::median("x", "s", vec![0.52, 90.0, 0.47], Target::AtMost(0.5));
        assert_eq!((row.figure, row.daemon.as_str(), row.is_good()), (0.52, "0.52 s", false));
    }

    #[test]
    fn a_row_without_measurements_misses_its_target() {
        assert!(!Row::median("x", "us", Vec::new(), Target::AtMost(1.5)).is_good());
        assert!(!Row::compared("x", "us", &[], Target::AtMost(1.5)).is_good());
        assert!(!Row::compared("x", "us", &[], Target::AtLeast(0.7)).is_good());
    }

    #[test]
    fn a_missed_target_shows() {
        let rows = [
            Row::alone("idle", "wake-ups", 0.0, Target::AtMost(0.0)),
            Row::compared("asked", "a second", &[(600.0, 1000.0)], Target::AtLeast(0.7)),
        ];
        assert!(rows[0].is_good() && !rows[1].is_good());
        assert_eq!(
            markdown(&rows).lines().skip(2).collect::<Vec<_>>(),
            [
                "| idle | 0 wake-ups |  |  | at most 0 | met |",
                "| asked | 600 a second | 1000 a second | 0.60 | at least 0.7 | **missed** |",
            ]
        );
    }
}
