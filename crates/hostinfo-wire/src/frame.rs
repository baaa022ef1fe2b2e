//! Splits bytes into lines: finds line ends, limits a line's length, and drops what may be an echo
//! of the host's own lines.

use crate::limits::LINE_MAX;

/// Discards what has arrived of the current line. 0xFF never occurs in UTF-8 text, so no meaningful
/// line contains it.
pub const CANCEL: u8 = 0xFF;

/// Most lines end within this many bytes. Up to there a plain loop takes a fifth of the instructions of memchr, which
/// is made for longer input.
const NEAR: usize = 16;

/// What the framer found.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A line without its line end: at most [`LINE_MAX`] bytes, not empty, and not an echo.
    Line(&'a [u8]),
    /// A line over [`LINE_MAX`] bytes; none of it was kept.
    TooLong,
}

/// Splits one connection's bytes into lines.
///
/// A line ends with LF, with CR, or with CR LF: a person at a terminal program sends CR alone. An
/// LF after a CR ends an empty line, and empty lines are dropped, so there is no need to
/// distinguish the three.
///
/// Holds at most `LINE_MAX` bytes, whatever arrives.
#[derive(Debug, Default)]
pub struct Framer {
    line: Vec<u8>,
    /// The line's first byte that is not a blank. It is enough to tell whether the line is an echo,
    /// even if the line is too long to keep.
    first: Option<u8>,
    too_long: bool,
    /// Whether `line` was returned: it is cleared when the next one begins.
    is_returned: bool,
}

/// The part of a line that has arrived: what another [`Framer`] needs to go on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PartialLine {
    /// Its bytes, at most [`LINE_MAX`]; none if it is too long.
    pub line: Vec<u8>,
    /// Its first byte that is not a blank.
    pub first: Option<u8>,
    /// It has over [`LINE_MAX`] bytes.
    pub too_long: bool,
}

impl Framer {
    /// The part of a line that has arrived.
    pub fn part(&self) -> PartialLine {
        match self.is_returned {
            true => PartialLine::default(),
            false => {
                PartialLine { line: self.line.clone(), first: self.first, too_long: self.too_long }
            }
        }
    }

    /// A framer that goes on with the rest of that line. `None` if no line can have that part.
    pub fn after(PartialLine { line, first, too_long }: PartialLine) -> Option<Self> {
        let is_one = line.len() <= LINE_MAX && (!too_long || line.is_empty());
        is_one.then_some(Self { line, first, too_long, is_returned: false })
    }

    /// A framer at the beginning of a line.
    pub fn new() -> Self {
        Self::default()
    }

    /// Consumes `input` up to the next line that needs an answer. `None` once all of `input` is
    /// consumed; call again when more has arrived.
    pub fn next(&mut self, input: &mut &[u8]) -> Option<Frame<'_>> {
        if self.is_returned {
            self.restart();
        }
        while let Some(at) = end_of_line(input) {
            let (text, rest) = input.split_at(at);
            let end = rest.first().copied();
            *input = rest.get(1..).unwrap_or_default();
            if end == Some(CANCEL) {
                self.restart();
                continue;
            }
            self.append(text);
            if self.is_silent() {
                self.restart();
                continue;
            }
            self.is_returned = true;
            return Some(if self.too_long { Frame::TooLong } else { Frame::Line(&self.line) });
        }
        self.append(input);
        *input = &[];
        None
    }

    /// The line that [`Framer::next`] returned last; empty if that was too long, or if it returned
    /// none.
    pub fn last_line(&self) -> &[u8] {
        if self.is_returned { &self.line } else { &[] }
    }

    fn restart(&mut self) {
        *self = Self { line: std::mem::take(&mut self.line), ..Self::default() };
        self.line.clear();
    }

    fn append(&mut self, text: &[u8]) {
        if self.first.is_none() {
            self.first = text.iter().copied().find(|byte| !matches!(byte, b' ' | b'\t'));
        }
        if self.too_long {
            return;
        }
        self.too_long = self.line.len() + text.len() > LINE_MAX;
        if self.too_long {
            self.line.clear();
        } else {
            self.line.extend_from_slice(text);
        }
    }

    /// An empty line, or a line that begins like every line from a host: answering a terminal's
    /// echo would never end.
    fn is_silent(&self) -> bool {
        match self.first {
            None => true,
            Some(first) => first.is_ascii_digit() || matches!(first, b'<' | b'#'),
        }
    }
}

/// Where a line ends or is thrown away.
fn end_of_line(input: &[u8]) -> Option<usize> {
    let (near, far) = input.split_at(input.len().min(NEAR));
    let in_near = near.iter().position(|byte| matches!(*byte, b'\n' | b'\r' | CANCEL));
    in_near.or_else(|| memchr::memchr3(b'\n', b'\r', CANCEL, far).map(|at| near.len() + at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(chunks: &[&[u8]]) -> Vec<Option<Vec<u8>>> {
        let mut framer = Framer::new();
        let mut found = Vec::new();
        for mut chunk in chunks.iter().copied() {
            while let Some(frame) = framer.next(&mut chunk) {
                found.push(match frame {
                    Frame::Line(line) => Some(line.to_vec()),
                    Frame::TooLong => None,
                });
            }
        }
        found
    }

    fn line(text: &str) -> Option<Vec<u8>> {
        Some(text.as_bytes().to_vec())
    }

    /// Bytes that are mostly lines over the bound, which bytes at random never are.
    fn long_lines() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![1000 => Just(b'x'), 1 => Just(b'\n'), 1 => Just(CANCEL)];
        proptest::collection::vec(byte, 0..5000)
    }

    #[test]
    fn a_line_ends_with_lf_with_cr_or_with_both() {
        assert_eq!(
            lines(&[b"ping\nping a\rping b\r\nlist"]),
            [line("ping"), line("ping a"), line("ping b")]
        );
    }

    #[test]
    fn a_line_that_ends_with_cr_is_complete_before_anything_follows_it() {
        assert_eq!(lines(&[b"physcpus\r"]), [line("physcpus")]);
    }

    #[test]
    fn the_lf_behind_a_cr_may_arrive_later() {
        assert_eq!(lines(&[b"ping\r", b"\n", b"list\r", b"\n"]), [line("ping"), line("list")]);
    }

    #[test]
    fn a_line_may_arrive_byte_by_byte() {
        let bytes: Vec<&[u8]> = b"ping a\r\nversion\n".chunks(1).collect();
        assert_eq!(lines(&bytes), [line("ping a"), line("version")]);
    }

    #[test]
    fn ff_throws_away_what_came_before_it_on_the_line() {
        assert_eq!(
            lines(&[b"garb", b"age\xFFping\nlo\xFF\nversion\n"]),
            [line("ping"), line("version")]
        );
    }

    #[test]
    fn ff_ends_the_skipping_of_a_line_that_is_too_long() {
        let long = [b'x'; 3000];
        assert_eq!(lines(&[&long, b"\xFFping\n"]), [line("ping")]);
    }

    #[test]
    fn empty_and_blank_lines_are_dropped_in_silence() {
        assert_eq!(lines(&[b"\n\r\n\r\r \t \n \r\n \t\r"]), []);
    }

    #[test]
    fn a_line_that_a_host_could_have_sent_is_dropped_in_silence_whatever_its_length_and_bytes() {
        let mut long = b" \t4".to_vec();
        long.extend([0u8; 5000]);
        long.push(b'\n');
        assert_eq!(lines(&[b"200 x\r\n <a>\n\t# EOF\r9\xC3\n", &long]), []);
    }

    #[test]
    fn the_first_byte_is_found_behind_more_blanks_than_a_line_may_hold() {
        let blanks = [b' '; 2000];
        assert_eq!(lines(&[&blanks, b"200 x\n", &blanks, b"\n", &blanks, b"x\n"]), [None]);
    }

    #[test]
    fn a_line_of_1024_bytes_is_kept_and_one_more_is_too_long() {
        let full = "x".repeat(LINE_MAX);
        for end in ["\n", "\r", "\r\n"] {
            assert_eq!(lines(&[full.as_bytes(), end.as_bytes()]), [line(&full)]);
            assert_eq!(
                lines(&[full.as_bytes(), b"x", end.as_bytes(), b"ping\n"]),
                [None, line("ping")]
            );
        }
    }

    #[test]
    fn the_seeds_of_the_fuzzer_are_what_their_names_say() {
        for seed in std::fs::read_dir("../../fuzz/seeds/framer").unwrap() {
            let path = seed.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            // The first byte decides where to cut.
            let mut chunk = &bytes[1..];
            let (mut framer, mut lines, mut too_long) = (Framer::new(), Vec::new(), 0);
            while let Some(frame) = framer.next(&mut chunk) {
                match frame {
                    Frame::Line(line) => lines.push(line.len()),
                    Frame::TooLong => too_long += 1,
                }
            }
            let is_it = match path.file_name().unwrap().to_str().unwrap() {
                "cancel" => lines == ["ping t".len()],
                "carriage-returns" => lines == [1, 1],
                "echo" => lines.is_empty(),
                "lines" => lines.len() > 2,
                "longest" => lines == [LINE_MAX, 4],
                "too-long" => too_long == 1,
                "too-long-cancelled" => too_long == 0,
                other => panic!("say here what {other} is"),
            };
            assert!(is_it, "{}: {lines:?}, {too_long} too long", path.display());
        }
    }

    proptest! {
        #[test]
        fn lines_do_not_depend_on_how_the_bytes_are_cut(
            bytes in prop_oneof![
                proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), Just(CANCEL), any::<u8>()], 0..4000),
                long_lines(),
            ],
            cut in 1usize..1500,
        ) {
            let chunks: Vec<&[u8]> = bytes.chunks(cut).collect();
            prop_assert_eq!(lines(&chunks), lines(&[&bytes]));
        }

        #[test]
        fn lines_do_not_depend_on_which_line_end_a_client_sends(
            texts in proptest::collection::vec("[a-z0-9 ]{0,40}", 0..20), cut in 1usize..50,
        ) {
            let ended = |end: &str| -> String { texts.iter().map(|text| format!("{text}{end}")).collect() };
            let with_lf = lines(&[ended("\n").as_bytes()]);
            for end in ["\r", "\r\n"] {
                let bytes = ended(end);
                let chunks: Vec<&[u8]> = bytes.as_bytes().chunks(cut).collect();
                prop_assert_eq!(lines(&chunks), with_lf.clone());
            }
        }

        #[test]
        fn no_line_that_is_returned_has_a_line_end_or_ff_in_it(
            bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), any::<u8>()], 0..400),
        ) {
            for line in lines(&[&bytes]).into_iter().flatten() {
                prop_assert!(!line.iter().any(|byte| matches!(byte, b'\r' | b'\n' | &CANCEL)));
            }
        }

        #[test]
        fn no_more_than_a_line_is_ever_held(
            bytes in long_lines(), cut in 1usize..3000,
        ) {
            let mut framer = Framer::new();
            for mut chunk in bytes.chunks(cut) {
                while framer.next(&mut chunk).is_some() {}
                prop_assert!(framer.line.len() <= LINE_MAX);
            }
        }
    }
}
