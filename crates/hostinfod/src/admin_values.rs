//! What the host's administrator provides to guests, as files: what is read at the start, and what
//! is stored of later changes. See `docs/custom.md`.

pub(crate) mod host_state;
pub(crate) mod notices;
mod state_file;

use std::io;
use std::path::{Path, PathBuf};

use hostinfo_answer::{AdminValues, Labels};
use hostinfo_control::Place;
use hostinfo_control::limits::PROBLEM_MAX;
use hostinfo_custom::{Custom, Problem};
use hostinfo_domains::cut;

use host_state::HostStateFile;
use notices::NoticesFile;

/// The directory of definitions must belong to this user, since commands in it are run.
const ROOT: u32 = 0;

/// The directory of definitions, and files in the state directory that preserve what was set across restarts.
pub(crate) struct AdminFiles {
    /// The directory of definitions.
    pub(crate) custom_dir: CustomDir,
    /// The file of the notices.
    pub(crate) notices: NoticesFile,
    /// The file of the host state.
    pub(crate) host_state: HostStateFile,
}

/// The directory of the administrator's own statistics.
pub(crate) struct CustomDir {
    path: PathBuf,
    /// What is wrong in it.
    problem: Option<String>,
}

impl CustomDir {
    /// Logs the problems of the definitions, and keeps them for the status.
    pub(crate) fn note(&mut self, problems: &[Problem]) {
        for problem in problems {
            tracing::error!("{problem}");
        }
        let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
        self.problem = (!lines.is_empty()).then(|| cut(&lines.join("\n"), PROBLEM_MAX).to_owned());
    }

    /// Where it is, and what is wrong in it.
    pub(crate) fn state(&self) -> Place {
        Place { path: self.path.display().to_string(), problem: self.problem.clone() }
    }
}

/// Reads the definitions and the files in `state`, and logs what is wrong with them.
///
/// # Errors
/// No descriptors are left.
pub(crate) fn load(
    directory: &Path,
    state: &Path,
    labels: Labels,
) -> io::Result<(AdminValues, AdminFiles)> {
    let (customs, problems) = Custom::load(directory, ROOT)?;
    let mut custom_dir = CustomDir { path: directory.to_owned(), problem: None };
    custom_dir.note(&problems);
    let (notices_file, notices) = NoticesFile::open(state);
    let (host_state, declared) = HostStateFile::open(state);
    let files = AdminFiles { custom_dir, notices: notices_file, host_state };
    Ok((AdminValues { labels, customs, notices, declared }, files))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use hostinfo_custom::examples::custom;

    /// An administrator's definitions, as `AdminValues`.
    pub(crate) fn admin_values(definitions: &str) -> AdminValues {
        let customs = custom(definitions);
        AdminValues {
            labels: Labels::default(),
            customs,
            notices: Default::default(),
            declared: None,
        }
    }
}
