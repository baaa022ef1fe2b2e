//! Markdown as the body of a man page: as much of it as `docs/` uses.

use anyhow::{Result, bail};
use clap_mangen::roff::{Inline, Roff, bold, italic, roman};
use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use crate::documents::{refer, reference};
use crate::page::lines;

/// The body of a page whose title is not in the text. What comes before the first heading is its
/// DESCRIPTION.
///
/// # Errors
/// The text has something that there is no rule for in here.
pub(crate) fn body(text: &str) -> Result<String> {
    let mut writer = Writer::default();
    if !text.trim_start().starts_with('#') {
        writer.heading("SH", "DESCRIPTION");
    }
    for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
        writer.take(event)?;
    }
    Ok(lines(&writer.roff))
}

#[derive(Default)]
struct Writer {
    roff: Roff,
    /// The paragraph, heading or cell that is being read.
    inlines: Vec<Inline>,
    /// How often it is bold, and italic.
    strong: u32,
    emphasis: u32,
    /// The numbers of the next items of the lists that this is in.
    lists: Vec<Option<u64>>,
    /// A macro has begun a paragraph already.
    begun: bool,
    /// The text of a link that names a file, in whose place comes the name of its page.
    link: Option<String>,
    /// The cells of the table's head and of the row that is being read.
    head: Vec<Vec<Inline>>,
    row: Vec<Vec<Inline>>,
    is_code: bool,
}

impl Writer {
    fn take(&mut self, event: Event<'_>) -> Result<()> {
        match event {
            Event::Start(tag) => self.start(&tag)?,
            Event::End(tag) => self.end(tag),
            Event::Text(text) if self.is_code => {
                for line in text.lines() {
                    self.roff.text([roman(refer(line))]);
                }
            }
            Event::Text(text) => self.text(&text, false),
            Event::Code(text) => self.text(&text, true),
            Event::SoftBreak => self.text(" ", false),
            Event::HardBreak => self.inlines.push(Inline::LineBreak),
            other => bail!("no rule for {other:?}"),
        }
        Ok(())
    }

    fn start(&mut self, tag: &Tag<'_>) -> Result<()> {
        match tag {
            Tag::Paragraph => self.paragraph(),
            Tag::List(first) => {
                self.flush();
                self.lists.push(*first);
            }
            Tag::Item => self.item(),
            Tag::CodeBlock(CodeBlockKind::Fenced(_)) => self.code(),
            Tag::Strong => self.strong += 1,
            Tag::Emphasis => self.emphasis += 1,
            Tag::Link { dest_url, .. } => {
                let file = dest_url.rsplit('/').next().unwrap_or_default();
                self.link = reference(file);
            }
            Tag::Heading { .. }
            | Tag::Table(_)
            | Tag::TableHead
            | Tag::TableRow
            | Tag::TableCell => {}
            other => bail!("no rule for {other:?}"),
        }
        Ok(())
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Paragraph | TagEnd::Item => self.flush(),
            TagEnd::Heading(level) => {
                let text: String = self.inlines.drain(..).map(plain).collect();
                match level {
                    HeadingLevel::H1 | HeadingLevel::H2 => {
                        self.heading("SH", &text.to_uppercase());
                    }
                    _ => self.heading("SS", &text),
                }
            }
            TagEnd::List(_) => {
                self.lists.pop();
            }
            TagEnd::CodeBlock => {
                self.is_code = false;
                self.roff.control("EE", []).control("RE", []);
            }
            TagEnd::Strong => self.strong -= 1,
            TagEnd::Emphasis => self.emphasis -= 1,
            TagEnd::Link => self.end_link(),
            TagEnd::TableCell => self.row.push(std::mem::take(&mut self.inlines)),
            TagEnd::TableHead => self.head = std::mem::take(&mut self.row),
            TagEnd::TableRow => self.end_row(),
            _ => {}
        }
    }

    fn heading(&mut self, level: &str, text: &str) {
        self.roff.control(level, [text]);
        self.begun = true;
    }

    fn paragraph(&mut self) {
        self.flush();
        if !std::mem::take(&mut self.begun) {
            // Within a list, it stays as far to the right.
            self.roff.control(if self.lists.is_empty() { "PP" } else { "sp" }, []);
        }
    }

    fn item(&mut self) {
        let (mark, width) = match self.lists.last_mut() {
            Some(Some(number)) => {
                *number += 1;
                (format!("{}.", *number - 1), "4")
            }
            _ => (r"\(bu".to_owned(), "2"),
        };
        self.roff.control("IP", [mark.as_str(), width]);
        self.begun = true;
    }

    fn code(&mut self) {
        self.paragraph();
        self.is_code = true;
        self.roff.control("RS", ["4"]).control("EX", []);
    }

    /// A row of a table: what is in its first column, and below that the second column and what
    /// the others hold, named as their head is.
    fn end_row(&mut self) {
        let mut row = std::mem::take(&mut self.row).into_iter().zip(&self.head);
        let Some((first, _)) = row.next() else { return };
        self.roff.control("TP", []).text(first);
        let mut below = row.next().map(|(cell, _)| cell).unwrap_or_default();
        for (cell, head) in row.filter(|(cell, _)| !cell.is_empty()) {
            below.push(Inline::LineBreak);
            below.extend(head.iter().cloned().chain([roman(": ")]).chain(cell));
        }
        self.roff.text(below);
    }

    fn text(&mut self, text: &str, is_code: bool) {
        let text = refer(text);
        self.inlines.push(if is_code || self.strong > 0 {
            bold(text)
        } else if self.emphasis > 0 {
            italic(text)
        } else {
            roman(text)
        });
    }

    fn end_link(&mut self) {
        if let Some(page) = self.link.take() {
            self.inlines.pop();
            self.inlines.push(roman(page));
        }
    }

    fn flush(&mut self) {
        if !self.inlines.is_empty() {
            self.roff.text(std::mem::take(&mut self.inlines));
            self.begun = false;
        }
    }
}

fn plain(inline: Inline) -> String {
    match inline {
        Inline::Roman(text) | Inline::Italic(text) | Inline::Bold(text) => text,
        Inline::LineBreak => " ".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_paragraphs_and_fonts_become_macros_and_escapes() {
        assert_eq!(
            body("One *two* `three`.\n\nFour.\n\n## Five six\n\nSeven.\n\n### Eight\n").unwrap(),
            ".SH DESCRIPTION\nOne \\fItwo\\fR \\fBthree\\fR.\n.PP\nFour.\n.SH \"FIVE SIX\"\nSeven.\n\
             .SS Eight\n"
        );
    }

    #[test]
    fn lists_and_examples_keep_their_form() {
        assert_eq!(
            body("## A\n\n1. one\n2. two\n\n- three\n\nFour:\n\n```\n.x \\y\n\n'z\n```\n").unwrap(),
            ".SH A\n.IP 1. 4\none\n.IP 2. 4\ntwo\n.IP \\(bu 2\nthree\n.PP\nFour:\n.PP\n.RS 4\n.EX\n\
             \\&.x \\\\y\n\n\\*(Aqz\n.EE\n.RE\n"
        );
    }

    #[test]
    fn a_row_of_a_table_becomes_a_paragraph_under_its_first_cell() {
        assert_eq!(
            body("## A\n\n|a|b|default|\n|---|---|---|\n|`x`|why|1|\n|y|how||\n").unwrap(),
            ".SH A\n.TP\n\\fBx\\fR\nwhy\n.br\ndefault: 1\n.TP\ny\nhow\n"
        );
    }

    #[test]
    fn a_link_to_a_file_of_docs_becomes_the_name_of_its_page() {
        assert_eq!(
            body("See [rules.md](rules.md), `docs/protocol.md` and <b>.\n").map_err(|_| ()),
            Err(()),
            "raw HTML has no rule"
        );
        assert_eq!(
            body("See [rules.md](rules.md) and `docs/protocol.md`.\n").unwrap(),
            ".SH DESCRIPTION\nSee hostinfo.conf(5) and \\fBhostinfo\\-protocol(7)\\fR.\n"
        );
    }
}
