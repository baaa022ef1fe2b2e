//! What the host's administrator provides to guests, as files: what is read at the start, and what
//! is stored of later changes. See `docs/custom.md`.

pub(crate) mod host_state;
pub(crate) mod notices;
mod state_file;

use std::io;
use std::path::PathBuf;

use hostinfo_answer::{AdminValues, Labels};
use hostinfo_control::Place;
use hostinfo_control::limits::PROBLEM_MAX;
use hostinfo_custom::{Custom, Problem};
use hostinfo_domains::cut;

use crate::settings::paths::Paths;
use host_state::HostStateFile;
use notices::NoticesFile;

/// The directory of definitions must belong to this user, since it says what guests are told.
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
    pub(crate) fn note(&mut self, customs: &Custom, problems: &[Problem]) {
        if let Some(problem) = customs.without_runner() {
            tracing::warn!("{problem}");
        }
        for problem in problems {
            tracing::error!("{problem}");
        }
        let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
        self.problem = (!lines.is_empty()).then(|| cut(&lines.join("\n"), PROBLEM_MAX).to_owned());
    }

    /// Where it is, and what is wrong in it or with hostinfo-run, which runs commands of it.
    pub(crate) fn state(&self, customs: &Custom) -> Place {
        let problems = self.problem.clone().into_iter().chain(customs.without_runner());
        let problems: Vec<String> = problems.collect();
        let problem = (!problems.is_empty()).then(|| problems.join("\n"));
        Place { path: self.path.display().to_string(), problem }
    }
}

/// Reads the definitions and the files in the state directory, and logs what is wrong with them.
///
/// # Errors
/// No descriptors are left.
pub(crate) fn load(paths: &Paths, labels: Labels) -> io::Result<(AdminValues, AdminFiles)> {
    let Paths { custom_dir, runner, state_dir, .. } = paths;
    let (customs, problems) = Custom::load(custom_dir, ROOT, runner)?;
    let mut custom_dir = CustomDir { path: custom_dir.clone(), problem: None };
    custom_dir.note(&customs, &problems);
    let (notices_file, notices) = NoticesFile::open(state_dir);
    let (host_state, declared) = HostStateFile::open(state_dir);
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
