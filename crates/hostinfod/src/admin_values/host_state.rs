//! The host state, stored in a file of the state directory.

use std::path::Path;

use hostinfo_notices::{BadRemark, Declared, HostState, limits};
use jiff::Timestamp;

use crate::admin_values::state_file::StateFile;
use crate::audit::Event;
use crate::system::file_error::FileError;

/// The file in the state directory.
const FILE: &str = "host-state.json";

/// The file that stores the host state.
pub(crate) struct HostStateFile(StateFile);

/// Why the host state was not changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unchanged {
    /// The remark is not valid.
    #[error(transparent)]
    Remark(#[from] BadRemark),
    /// The file could not be written.
    #[error(transparent)]
    File(#[from] FileError),
}

impl HostStateFile {
    /// Reads the file. If there is none that can be read, the host state is normal.
    pub(crate) fn open(state: &Path) -> (Self, Option<Declared>) {
        const LOSS: &str = "guests now read that the host's state is normal: set it again";
        let bound = limits::STATE_FILE_MAX;
        let (file, declared) = StateFile::open(state, FILE, bound, Declared::parse, LOSS);
        (Self(file), declared)
    }

    /// Sets the host state for a user, stores it, and logs it.
    ///
    /// # Errors
    /// [`Unchanged`].
    pub(crate) fn set<'s>(
        &self,
        said: &'s mut Option<Declared>,
        state: HostState,
        remark: Option<String>,
        uid: u32,
        now: Timestamp,
    ) -> Result<&'s Declared, Unchanged> {
        let declared = Declared::new(state, remark, now)?;
        self.0.write(&declared.to_bytes())?;
        Event::HostStateSet { declared: &declared, uid }.log();
        Ok(said.insert(declared))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    #[test]
    fn opening_without_a_file_declares_no_state_and_makes_no_file() {
        let state = tempfile::tempdir().unwrap();
        assert_eq!(HostStateFile::open(state.path()).1, None);
        assert_eq!(fs::read_dir(state.path()).unwrap().count(), 0);
    }

    #[test]
    fn the_words_of_states_are_those_of_the_metric() {
        let words = HostState::ALL.map(HostState::word);
        assert_eq!(words, hostinfo_catalog::metric::HOST_STATES);
    }

    #[test]
    fn the_declared_state_outlives_the_daemon() {
        let state = tempfile::tempdir().unwrap();
        let (file, mut said) = HostStateFile::open(state.path());
        let remark = Some("a fan has failed".to_owned());
        let set = file.set(&mut said, HostState::Degraded, remark, 0, NOW).unwrap().clone();
        let (file, mut said) = HostStateFile::open(state.path());
        assert_eq!(said, Some(set));
        file.set(&mut said, HostState::Normal, None, 0, NOW).unwrap();
        assert_eq!(HostStateFile::open(state.path()).1, said);
        assert_eq!(fs::read_dir(state.path()).unwrap().count(), 1, "nothing is left aside");
    }

    #[test]
    fn a_state_that_cannot_be_stored_is_not_declared() {
        let state = tempfile::tempdir().unwrap();
        let (file, mut said) = HostStateFile::open(&state.path().join("gone"));
        let error = file.set(&mut said, HostState::Draining, None, 0, NOW).unwrap_err().to_string();
        assert!(error.contains("host-state.json"), "{error}");
        assert_eq!(said, None);
        let (file, mut said) = HostStateFile::open(state.path());
        let two_lines = Some("a\nb".to_owned());
        assert!(matches!(
            file.set(&mut said, HostState::Draining, two_lines, 0, NOW),
            Err(Unchanged::Remark(_))
        ));
        assert_eq!(fs::read_dir(state.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_damaged_file_is_set_aside_and_nothing_of_it_is_lost() {
        let state = tempfile::tempdir().unwrap();
        let path = state.path().join(FILE);
        let long = vec![b' '; limits::STATE_FILE_MAX + 1];
        for damaged in [&b"{\"state\":"[..], b"", b"\xff\0", &long] {
            fs::write(&path, damaged).unwrap();
            assert_eq!(HostStateFile::open(state.path()).1, None);
            assert!(!path.exists());
            let aside = state.path().join("host-state.json.damaged");
            assert_eq!(fs::read(aside).unwrap(), damaged);
        }
    }
}
