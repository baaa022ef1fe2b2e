//! Tables for people.

use anstream::adapter::strip_str;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Rows of cells below a heading. Each column is as wide as its widest cell, whose colours count
/// nothing; columns without any text are left out.
pub(crate) fn table(heading: &[&str], rows: &[Vec<String>]) -> String {
    let heading: Vec<String> = heading.iter().map(|&word| word.to_owned()).collect();
    let cell = |row: &[String], column: usize| row.get(column).cloned().unwrap_or_default();
    let columns: Vec<(usize, usize)> = (0..heading.len())
        .filter_map(|column| {
            let widest = rows.iter().map(|row| width(&cell(row, column))).max()?;
            (widest > 0).then_some((column, widest.max(width(&cell(&heading, column)))))
        })
        .collect();
    if columns.is_empty() {
        return String::new();
    }
    std::iter::once(&heading)
        .chain(rows)
        .map(|row| {
            let cells = columns.iter().map(|(column, column_width)| {
                let cell = cell(row, *column);
                let gap = " ".repeat(column_width.saturating_sub(width(&cell)));
                cell + &gap
            });
            let line = cells.collect::<Vec<_>>().join("  ");
            format!("{}\n", line.trim_end())
        })
        .collect()
}

fn width(cell: &str) -> usize {
    strip_str(cell).to_string().width()
}

/// At most that many columns of a text: what is longer ends in `…`.
pub(crate) fn shortened(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut left = columns.saturating_sub(1);
    let fits = |c: &char| {
        let rest = left.checked_sub(c.width().unwrap_or_default());
        left = rest.unwrap_or_default();
        rest.is_some()
    };
    let mut short: String = text.chars().take_while(fits).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_also_with_wide_characters_and_empty_ones_are_left_out() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        assert_eq!(
            table(&["GUEST", "NONE", "X"], &[row(["主机a", "", "1"]), row(["b", "", "2"])]),
            "GUEST  X\n主机a  1\nb      2\n"
        );
        assert_eq!(table(&["GUEST"], &[]), "");
        let red = "\u{1b}[31ma\u{1b}[0m";
        assert_eq!(table(&["A", "B"], &[row([red, "1", ""])]), format!("A  B\n{red}  1\n"));
    }

    #[test]
    fn a_text_that_is_too_wide_is_cut_between_its_letters() {
        assert_eq!(shortened("web", 3), "web");
        assert_eq!(shortened("web-1", 4), "web…");
        assert_eq!(shortened("主机主机", 6), "主机…");
        assert_eq!(shortened("主机", 0), "…");
    }
}
