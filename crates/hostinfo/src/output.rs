//! Answers go to stdout or a file; everything else goes to stderr.

use std::borrow::Cow;
use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;

use hostinfo_file::replace;
use hostinfo_wire::text::escaped_json;
use terminal_size::{Height, Width, terminal_size_of};

use crate::exit::{Failure, Outcome, complain};
use crate::remedy::refusals;
use crate::wrap::wrapped;

/// JSON as a line, without characters that control a terminal.
pub(crate) fn json_line(json: &impl Display) -> String {
    format!("{}\n", escaped_json(&json.to_string()))
}

/// The visible form of a reply.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Shown {
    /// For stdout.
    pub(crate) text: String,
    /// Whether `text` is sentences, which a terminal may show on more lines than they have.
    pub(crate) is_prose: bool,
    /// For stderr: what was refused, and why.
    pub(crate) refusals: Vec<String>,
    /// For stderr: what else there is to know of it.
    pub(crate) remark: Option<String>,
    /// Whether `text` itself mentions more that was not answered.
    pub(crate) partial: bool,
    /// The exit status, if the result has one of its own.
    pub(crate) status: Option<u8>,
}

impl Shown {
    /// Writes it to a file or, without one, to stdout. Colours are only kept on a terminal, and
    /// only if NO_COLOR is not set.
    ///
    /// # Errors
    /// Writing failed. A file is left unchanged then, and also if there is nothing to write.
    pub(crate) fn write(&self, file: Option<&Path>) -> Result<Outcome, Failure> {
        match file {
            None => {
                let text = match columns().filter(|_| self.is_prose) {
                    Some(columns) => wrapped(&self.text, columns).into(),
                    None => Cow::from(&self.text),
                };
                let mut stdout = anstream::stdout().lock();
                stdout.write_all(text.as_bytes())?;
                stdout.flush()?;
            }
            Some(_) if self.text.is_empty() => {}
            Some(file) => {
                let text = anstream::adapter::strip_str(&self.text).to_string();
                replace(file, text.as_bytes())
                    .map_err(|why| Failure::File { path: file.to_owned(), why })?;
            }
        }
        self.remark.iter().for_each(complain);
        refusals(&self.refusals).for_each(complain);
        let is_complete = self.refusals.is_empty() && !self.partial;
        Ok(match self.status {
            Some(status) => Outcome::Status(status),
            None if is_complete => Outcome::Complete,
            None => Outcome::Partial,
        })
    }
}

/// The width of a console that does not say its own, such as a serial one.
const USUAL_COLUMNS: u16 = 80;

/// How wide the terminal on stdout is. `None` if there is no terminal.
pub(crate) fn columns() -> Option<usize> {
    of_terminal(io::stdout().is_terminal(), terminal_size_of(io::stdout()))
}

/// The same of the terminal on stderr.
pub(crate) fn stderr_columns() -> Option<usize> {
    of_terminal(io::stderr().is_terminal(), terminal_size_of(io::stderr()))
}

fn of_terminal(is_one: bool, size: Option<(Width, Height)>) -> Option<usize> {
    is_one.then(|| size.map_or(USUAL_COLUMNS, |(Width(columns), _)| columns).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn shown(text: &str) -> Shown {
        Shown { text: text.to_owned(), ..Shown::default() }
    }

    /// The names in a folder.
    fn names(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap();
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn json_says_what_a_terminal_would_not_show() {
        let device = serde_json::json!({ "device": "a\u{9b}31m\u{202e}b" });
        assert_eq!(json_line(&device), "{\"device\":\"a\\u009b31m\\u202eb\"}\n");
    }

    #[test]
    fn a_file_is_written_as_a_whole_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("host.prom");
        for text in ["a 1\n", "\u{1b}[32mb\u{1b}[0m 2\n"] {
            assert_eq!(shown(text).write(Some(&file)).unwrap(), Outcome::Complete);
        }
        assert_eq!(fs::read_to_string(&file).unwrap(), "b 2\n", "without colours");
        assert_eq!(names(folder.path()), ["host.prom"]);
    }

    #[test]
    fn the_file_stays_as_it_was_if_there_is_nothing_to_write_and_what_is_no_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("host.prom");
        fs::write(&file, "before").unwrap();
        shown("").write(Some(&file)).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "before");
        for place in [Path::new("/dev/full"), &folder.path().join("none/host.prom"), folder.path()]
        {
            let failed = shown("x").write(Some(place));
            assert!(matches!(failed, Err(Failure::File { .. })), "{}", place.display());
        }
        assert_eq!(names(folder.path()), ["host.prom"]);
    }
}
