//! A man page: a head, a body, and at its end all the others.

use anyhow::{Context as _, Result};
use clap_mangen::roff::{Inline, Roff, bold, roman};

/// A page without its head and its end.
pub(crate) struct Page {
    /// Such as `hostinfod`.
    pub(crate) name: String,
    /// The section of the manual, such as `8`.
    pub(crate) section: &'static str,
    /// What it is about, in one line.
    pub(crate) about: String,
    /// What comes after NAME.
    pub(crate) body: String,
}

impl Page {
    /// As other pages name it: `hostinfod(8)`.
    pub(crate) fn reference(&self) -> String {
        format!("{}({})", self.name, self.section)
    }

    /// All of it, in man(7). `all` are the references to every page, of which it leaves its own out.
    pub(crate) fn text(&self, date: &str, all: &[String]) -> String {
        let mut head = Roff::new();
        let source = concat!("hostinfo ", env!("CARGO_PKG_VERSION"));
        head.control("TH", [&self.name.to_uppercase(), self.section, date, source, "hostinfo"]);
        head.control("SH", ["NAME"]);
        head.text([roman(format!("{} - {}", self.name, self.about))]);
        let mut end = Roff::new();
        end.control("SH", ["SEE ALSO"]);
        end.text(others(all, &self.reference()));
        fill(&portable(&format!("{}{}{}", head.render(), self.body, lines(&end))))
    }
}

fn others(all: &[String], own: &str) -> Vec<Inline> {
    let mut inlines = Vec::new();
    for (name, section) in
        all.iter().filter(|other| *other != own).filter_map(|other| other.split_once('('))
    {
        let comma = if inlines.is_empty() { "" } else { ", " };
        inlines.extend([roman(comma), bold(name), roman(format!("({section}"))]);
    }
    inlines
}

/// What was written, without the beginning that every page has once.
pub(crate) fn lines(roff: &Roff) -> String {
    body_of(&roff.render()).to_owned()
}

/// The same of a text that is rendered already.
pub(crate) fn body_of(rendered: &str) -> &str {
    let preamble = Roff::new().render();
    rendered.strip_prefix(&preamble).unwrap_or(rendered)
}

/// groff_char(7): these would come out as accents and quotation marks, which no shell knows; and
/// two backslashes are one only within a macro.
fn portable(page: &str) -> String {
    [(r"\\", r"\(rs"), ("^", r"\(ha"), ("~", r"\(ti"), ("`", r"\(ga")]
        .iter()
        .fold(page.to_owned(), |page, (sign, name)| page.replace(sign, name))
}

/// The longest line of text that mandoc accepts without a warning, in bytes.
const LINE_MAX: usize = 80;

/// Text in lines of [`LINE_MAX`] bytes, as far as it is filled again when it is shown. No line ends
/// with a blank.
fn fill(page: &str) -> String {
    let (mut filled, mut is_code, mut is_tag) = (String::new(), false, false);
    for line in page.lines() {
        match line {
            ".EX" => is_code = true,
            ".EE" => is_code = false,
            _ => {}
        }
        // What stands beside a paragraph is one line.
        let stays = is_code || is_tag || line.starts_with(['.', '\'']);
        is_tag = line == ".TP";
        let mut length = 0;
        for word in line.trim_end().split_inclusive(' ') {
            if !stays && length > 0 && length + word.trim_end().len() > LINE_MAX {
                filled.truncate(filled.trim_end().len());
                filled.push('\n');
                // Else it would be read as a macro.
                let guard = if word.starts_with(['.', '\'']) { r"\&" } else { "" };
                filled.push_str(guard);
                length = guard.len();
            }
            filled.push_str(word);
            length += word.len();
        }
        filled.push('\n');
    }
    filled
}

/// The day that pages bear: that of `SOURCE_DATE_EPOCH`, so that whoever builds the same sources gets
/// the same pages, or today.
///
/// # Errors
/// The variable is not a number of seconds.
pub(crate) fn date() -> Result<String> {
    let time = match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(seconds) => seconds
            .parse()
            .ok()
            .and_then(|seconds| jiff::Timestamp::from_second(seconds).ok())
            .with_context(|| format!("SOURCE_DATE_EPOCH={seconds}: no number of seconds"))?,
        Err(_) => jiff::Timestamp::now(),
    };
    Ok(time.strftime("%Y-%m-%d").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_filled_and_what_would_change_by_that_stays() {
        let word = "x".repeat(50);
        assert_eq!(fill(&format!("{word} {word} \n")), format!("{word}\n{word}\n"));
        assert_eq!(fill(&format!("{word} .{word} 'a\n")), format!("{word}\n\\&.{word} 'a\n"));
        for same in [
            format!(".SH {word} {word}\n"),
            format!(".EX\n{word} {word}\n\n.EE\n"),
            format!(".TP\n{word} {word}\nx\n"),
            format!("{} x\n", "x".repeat(LINE_MAX - 2)),
        ] {
            assert_eq!(fill(&same), same);
        }
    }
}
