//! Tables for people.

use unicode_width::UnicodeWidthStr as _;

/// Rows of cells below a heading. Each column is as wide as its widest cell; columns without any
/// text are left out.
pub(crate) fn table(heading: &[&str], rows: &[Vec<String>]) -> String {
    let heading: Vec<String> = heading.iter().map(|&word| word.to_owned()).collect();
    let cell = |row: &[String], column: usize| row.get(column).cloned().unwrap_or_default();
    let columns: Vec<(usize, usize)> = (0..heading.len())
        .filter_map(|column| {
            let widest = rows.iter().map(|row| cell(row, column).width()).max()?;
            (widest > 0).then_some((column, widest.max(cell(&heading, column).width())))
        })
        .collect();
    if columns.is_empty() {
        return String::new();
    }
    std::iter::once(&heading)
        .chain(rows)
        .map(|row| {
            let cells = columns.iter().map(|(column, width)| {
                let cell = cell(row, *column);
                let gap = " ".repeat(width.saturating_sub(cell.width()));
                cell + &gap
            });
            let line = cells.collect::<Vec<_>>().join("  ");
            format!("{}\n", line.trim_end())
        })
        .collect()
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
    }
}
