//! What the host's administrator provides to guests, as files: what is read at the start, and what
//! is stored of later changes. See `docs/custom.md`.

pub(crate) mod host_state;
mod kept;
pub(crate) mod notices;

use std::io;
use std::path::Path;

use hostinfo_answer::{Given, Labels};
use hostinfo_custom::{Custom, Problem};

use host_state::HostStateFile;
use notices::NoticesFile;

/// The directory of definitions must belong to this user, since commands in it are run.
const ROOT: u32 = 0;

/// Files in the state directory that preserve what was set across restarts.
pub(crate) struct GivenFiles {
    /// The file of the notices.
    pub(crate) notices: NoticesFile,
    /// The file of the host state.
    pub(crate) host_state: HostStateFile,
}

/// Reads the definitions and the files in `state`, and logs what is wrong with them.
///
/// # Errors
/// No descriptors are left.
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

/// Logs the problems of the definitions.
pub(crate) fn log(problems: &[Problem]) {
    for problem in problems {
        tracing::error!("{problem}");
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use hostinfo_custom::examples::custom;

    /// An administrator's definitions, as a `Given`.
    pub(crate) fn given(definitions: &str) -> Given {
        let customs = custom(definitions);
        Given { labels: Labels::default(), customs, notices: Default::default(), declared: None }
    }
}
