//! What the host's administrator gives to guests, as files: what of it is read at the start, and what
//! is kept of what was set since. See `docs/custom.md`.

pub(crate) mod host_state;
mod kept;
pub(crate) mod notices;

use std::io;
use std::path::Path;

use hostinfo_answer::{Given, Labels};
use hostinfo_custom::{Custom, Problem};

use host_state::HostStateFile;
use notices::NoticesFile;

/// Whose the directory of definitions has to be: what it names is run.
const ROOT: u32 = 0;

/// Files of the state directory, in which what was set outlives the daemon.
pub(crate) struct GivenFiles {
    /// That of the notices.
    pub(crate) notices: NoticesFile,
    /// That of the host's state.
    pub(crate) host_state: HostStateFile,
}

/// Reads the directory's definitions and what is kept in `state`, and logs what is wrong in them.
///
/// # Errors
/// Where there are no descriptors left.
pub(crate) fn load(
    directory: &Path,
    state: &Path,
    labels: Labels,
) -> io::Result<(Given, GivenFiles)> {
    let (customs, problems) = Custom::load(directory, ROOT)?;
    log(&problems);
    let (notices_file, notices) = NoticesFile::open(state);
    let (host_state, declared) = HostStateFile::open(state);
    let files = GivenFiles { notices: notices_file, host_state };
    Ok((Given { labels, customs, notices, declared }, files))
}

/// Logs what is wrong in the directory's definitions.
pub(crate) fn log(problems: &[Problem]) {
    for problem in problems {
        tracing::error!("{problem}");
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use hostinfo_custom::examples::custom;

    /// What an administrator gives with those definitions.
    pub(crate) fn given(definitions: &str) -> Given {
        let customs = custom(definitions);
        Given { labels: Labels::default(), customs, notices: Default::default(), declared: None }
    }
}
