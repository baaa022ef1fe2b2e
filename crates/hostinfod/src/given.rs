//! What the host's administrator gives to guests beside the host's own figures: labels, notices,
//! what is said of the host, and own statistics. See `docs/custom.md`.

pub(crate) mod host_state;
mod kept;
pub(crate) mod notices;

use std::io;
use std::path::Path;
use std::sync::Arc;

use hostinfo_catalog::{About, Instances, Source};
use hostinfo_custom::{Custom, Problem};

use crate::settings::labels::Labels;
use host_state::HostStateFile;
use notices::NoticesFile;

/// Whose the directory of definitions has to be: what it names is run.
const ROOT: u32 = 0;

/// Labels, notices, the host's state, and statistics of the administrator's own.
pub(crate) struct Given {
    /// Those of the settings.
    pub(crate) labels: Labels,
    /// Those of the directory.
    pub(crate) customs: Custom,
    /// Those of the state directory.
    pub(crate) notices: NoticesFile,
    /// That of the state directory, too.
    pub(crate) host_state: HostStateFile,
}

impl Given {
    /// Reads the directory's definitions and what is kept in `state`, and logs what is wrong in them.
    ///
    /// # Errors
    /// Where there are no descriptors left.
    pub(crate) fn load(directory: &Path, state: &Path, labels: Labels) -> io::Result<Self> {
        let (customs, problems) = Custom::load(directory, ROOT)?;
        log(&problems);
        let (notices, host_state) = (NoticesFile::open(state), HostStateFile::open(state));
        Ok(Self { labels, customs, notices, host_state })
    }

    /// Reads the directory's definitions again.
    pub(crate) fn reload(&mut self) {
        log(&self.customs.reload());
    }

    /// The names of instances that begin like that, in order; none of others than labels and the
    /// administrator's own statistics.
    pub(crate) fn names<'g>(
        &'g self,
        instances: Instances,
        beginning: &'g str,
    ) -> impl Iterator<Item = &'g str> {
        let labels = (instances == Instances::Labels).then(|| self.labels.names(beginning));
        let customs = (instances == Instances::Customs).then(|| self.customs.names(beginning));
        labels.into_iter().flatten().chain(customs.into_iter().flatten())
    }

    /// Whether there is a label, or one of the administrator's own statistics, of that name.
    pub(crate) fn has(&self, instances: Instances, name: &str) -> bool {
        match instances {
            Instances::Labels => self.labels.get(name).is_some(),
            Instances::Customs => self.customs.find(name).is_some(),
            Instances::None
            | Instances::Vcpus
            | Instances::Disks
            | Instances::Nets
            | Instances::Notices
            | Instances::Incidents => false,
        }
    }

    /// What the administrator says of a statistic, where the table does not.
    pub(crate) fn about(&self, source: Source, name: &str) -> Option<Arc<About>> {
        let definition = (source == Source::Custom).then(|| self.customs.find(name))?;
        definition.map(|definition| Arc::clone(&definition.about))
    }
}

fn log(problems: &[Problem]) {
    for problem in problems {
        tracing::error!("{problem}");
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    /// What an administrator gives with those definitions and a label.
    pub(crate) fn given(definitions: &str) -> Given {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("x.toml");
        fs::write(&file, definitions).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        let owner = rustix::process::geteuid().as_raw();
        let (customs, problems) = Custom::load(directory.path(), owner).unwrap();
        assert_eq!(problems, []);
        let labels = BTreeMap::from([("Rack".to_owned(), "b 7".to_owned())]);
        let notices = NoticesFile::open(directory.path());
        let host_state = HostStateFile::open(directory.path());
        Given { labels: labels.try_into().unwrap(), customs, notices, host_state }
    }
}
