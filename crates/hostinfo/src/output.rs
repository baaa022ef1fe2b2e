//! stdout for answers, stderr for everything else.

use std::io::Write as _;

use crate::exit::{Failure, Outcome, complain};

/// What is shown of a reply.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Shown {
    /// For stdout.
    pub(crate) text: String,
    /// For stderr: what was not answered, and why.
    pub(crate) refusals: Vec<String>,
    /// `text` tells of more that was not answered.
    pub(crate) partial: bool,
}

impl Shown {
    /// Writes it. Colours are kept on a terminal alone, and not where NO_COLOR is set.
    ///
    /// # Errors
    /// stdout takes no more.
    pub(crate) fn write(&self) -> Result<Outcome, Failure> {
        let mut stdout = anstream::stdout().lock();
        stdout.write_all(self.text.as_bytes())?;
        stdout.flush()?;
        self.refusals.iter().for_each(complain);
        let complete = self.refusals.is_empty() && !self.partial;
        Ok(if complete { Outcome::Complete } else { Outcome::Partial })
    }
}
