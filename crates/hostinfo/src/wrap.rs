//! Lines on a terminal that end between words, where the terminal itself would cut words in two.

use anstream::adapter::strip_str;
use textwrap::{Options, WordSplitter, WrapAlgorithm, fill};

/// The most columns that labels take: those of `diagnose` take 15.
const LABELS_MAX: usize = 16;

/// With less room than this beside its labels, a text goes on below them.
const ROOM_LEAST: usize = 30;

/// How an item of a list begins.
pub(crate) const ITEM: &str = "- ";

/// How far the further lines of a row of columns that is too long are indented, so that the next row can be told
/// from them.
const INDENT: usize = 4;

/// Wraps each line for a terminal of so many columns. What stands beside labels stays in its column.
pub(crate) fn wrapped(text: &str, columns: usize) -> String {
    // A line that fills the last column as well makes some consoles begin another one.
    let width = columns.saturating_sub(1).max(1);
    text.lines().map(|line| wrapped_line(line, width) + "\n").collect()
}

fn wrapped_line(line: &str, width: usize) -> String {
    let plain = strip_str(line).to_string();
    let labels = labels(&plain);
    let indent = match width.saturating_sub(labels) >= ROOM_LEAST {
        true if labels == 0 && plain.contains("  ") => INDENT,
        true => labels,
        false => 0,
    };
    if indent == 0 && labels > 0 {
        // There is no room for columns.
        return fill(&without_columns(line), options(width));
    }
    fill(line, options(width).subsequent_indent(&" ".repeat(indent)))
}

/// The same line with one blank for several, and none at its beginning.
fn without_columns(line: &str) -> String {
    let blanks = |before: char, next: char| before == ' ' && next == ' ';
    let mut before = ' ';
    line.chars().filter(|next| !blanks(std::mem::replace(&mut before, *next), *next)).collect()
}

/// Wraps a text that stands behind `begin`, and goes on `indent` columns from the left.
pub(crate) fn hanging(begin: &str, text: &str, indent: usize, columns: usize) -> String {
    let blanks = " ".repeat(indent);
    let options = options(columns.saturating_sub(1).max(1));
    fill(text, options.initial_indent(begin).subsequent_indent(&blanks)) + "\n"
}

fn options<'a>(width: usize) -> Options<'a> {
    Options::new(width)
        .break_words(false)
        .word_splitter(WordSplitter::NoHyphenation)
        .wrap_algorithm(WrapAlgorithm::FirstFit)
}

/// The column after the labels, which end in two blanks or more, or after the dash of an item; 0 without any.
fn labels(line: &str) -> usize {
    if line.starts_with(ITEM) {
        return ITEM.len();
    }
    let begin: String = line.chars().take(LABELS_MAX).collect();
    begin.rfind("  ").map_or(0, |blanks| blanks + 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_stay_whole_and_what_stands_beside_a_label_stays_there() {
        let told = "\u{1b}[1mcpu       \u{1b}[0m\u{1b}[31mcontended: your vCPUs waited 5% of \
                    the last 5 s for a self-limited CPU\u{1b}[0m\nIt is the host.\n";
        let wide = "\u{1b}[1mcpu       \u{1b}[0m\u{1b}[31mcontended: your vCPUs waited 5%\n          \
                    of the last 5 s for a\n          self-limited CPU\u{1b}[0m\nIt is the host.\n";
        assert_eq!(wrapped(told, 43), wide);
        assert_eq!(wrapped(told, 200), told);
        let narrow = wrapped(told, 20);
        assert!(narrow.contains("\nvCPUs waited 5% of\n"), "{narrow}");
        let beside = "cpu     host   ok: they ran\n        guest  2% stolen\n";
        assert_eq!(wrapped(beside, 20), "cpu host ok: they\nran\nguest 2% stolen\n");
    }

    #[test]
    fn the_further_lines_of_a_row_and_of_an_item_are_indented() {
        let row = "2026-11-28 08:02:20  20 s  cpu  contended: your vCPUs waited\n";
        let told = "2026-11-28 08:02:20  20 s  cpu\n    contended: your vCPUs waited\n";
        assert_eq!(wrapped(row, 40), told);
        let item = "- cpu contended at 10:02, for less than a minute\n";
        assert_eq!(wrapped(item, 40), "- cpu contended at 10:02, for less than\n  a minute\n");
    }

    #[test]
    fn a_line_is_wrapped_before_the_last_column() {
        assert_eq!(wrapped("1234 678\n", 9), "1234 678\n");
        assert_eq!(wrapped("1234 678\n", 8), "1234\n678\n");
        assert_eq!(wrapped("self-limited\n", 4), "self-limited\n", "a word is not cut");
    }

    #[test]
    fn a_text_goes_on_where_it_began() {
        let begin = "\u{1b}[1mloadavg.1\u{1b}[0m  ";
        let told = hanging(begin, "load of the host  hostinfo_loadavg_1", 11, 30);
        let expected = format!("{begin}load of the host\n{:11}hostinfo_loadavg_1\n", "");
        assert_eq!(told, expected);
    }

    #[test]
    fn labels_of_two_columns_count_both() {
        let row = "cpu     host   ok: they ran";
        assert_eq!((labels(row), labels("        guest  2%")), (15, 15));
        assert_eq!((labels("It is the host."), labels("")), (0, 0));
    }

    proptest! {
        #[test]
        fn no_word_of_any_text_is_lost(text: String, columns in 0usize..200) {
            let words = |text: &str| text.split_whitespace().collect::<String>();
            prop_assert_eq!(words(&wrapped(&text, columns)), words(&text));
        }
    }
}
