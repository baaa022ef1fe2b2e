//! Notices, stored in a file of the state directory so that they outlive the daemon.

use std::path::Path;
use std::sync::Arc;

use hostinfo_notices::{Draft, Notice, Notices, Refused, limits};
use jiff::Timestamp;

use crate::admin_values::state_file::StateFile;
use crate::audit::Event;
use crate::system::file_error::FileError;

/// The file in the state directory.
const FILE: &str = "notices.json";

/// The file that stores the notices.
pub(crate) struct NoticesFile(StateFile);

/// Why the notices were not changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unchanged {
    /// The notice is not valid, or there are too many.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// There is no notice with that id.
    #[error("no notice {0}: `hostinfoctl notice list` shows them all")]
    NoSuchNotice(u64),
    /// The file could not be written.
    #[error(transparent)]
    File(#[from] FileError),
}

impl NoticesFile {
    /// Reads the file. If there is none that can be read, there are no notices.
    pub(crate) fn open(state: &Path) -> (Self, Notices) {
        const LOSS: &str = "there are no notices now: set them again";
        let bound = limits::FILE_MAX;
        let (file, notices) = StateFile::open(state, FILE, bound, Notices::parse, LOSS);
        (Self(file), notices.unwrap_or_default())
    }

    /// Adds a notice to those `in_force` for a user, and logs it; see [`Notices::set`].
    ///
    /// # Errors
    /// [`Unchanged`].
    pub(crate) fn set(
        &self,
        in_force: &mut Notices,
        draft: Draft,
        uid: u32,
        now: Timestamp,
    ) -> Result<Arc<Notice>, Unchanged> {
        let mut notices = in_force.clone();
        let notice = notices.set(draft, now)?;
        if self.keep(in_force, notices)? {
            Event::NoticeSet { notice: &notice, uid }.log();
        }
        Ok(notice)
    }

    /// Removes those with these ids, or all, for a user. Logs and returns each.
    ///
    /// # Errors
    /// [`Unchanged`], also if one of the ids does not exist.
    pub(crate) fn clear(
        &self,
        in_force: &mut Notices,
        ids: Option<&[u64]>,
        uid: u32,
    ) -> Result<Vec<Arc<Notice>>, Unchanged> {
        let mut notices = in_force.clone();
        let cleared = notices.clear(|notice| ids.is_none_or(|ids| ids.contains(&notice.id)));
        let is_there = |id: &u64| cleared.iter().any(|notice| notice.id == *id);
        if let Some(id) = ids.unwrap_or_default().iter().find(|id| !is_there(id)) {
            return Err(Unchanged::NoSuchNotice(*id));
        }
        self.keep(in_force, notices)?;
        for notice in &cleared {
            Event::NoticeCleared { notice, uid }.log();
        }
        Ok(cleared)
    }

    /// Replaces the notices, in memory and in the file. Returns false if they are unchanged.
    fn keep(&self, in_force: &mut Notices, notices: Notices) -> Result<bool, FileError> {
        if notices == *in_force {
            return Ok(false);
        }
        self.0.write(&notices.to_bytes())?;
        *in_force = notices;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    use hostinfo_notices::Kind;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    type Scene = (NoticesFile, Notices);

    fn set((file, notices): &mut Scene, text: &str) -> Result<u64, Unchanged> {
        let (pattern, text) = ("*".to_owned(), text.to_owned());
        let draft = Draft { pattern, kind: Kind::Info, at: Timestamp::MAX, until: None, text };
        Ok(file.set(notices, draft, 0, NOW)?.id)
    }

    fn clear((file, notices): &mut Scene, ids: Option<&[u64]>) -> Result<usize, Unchanged> {
        file.clear(notices, ids, 0).map(|cleared| cleared.len())
    }

    fn ids((_, notices): &Scene) -> Vec<u64> {
        notices.all(NOW).map(|notice| notice.id).collect()
    }

    #[test]
    fn notices_outlive_the_daemon() {
        let state = tempfile::tempdir().unwrap();
        let mut file = NoticesFile::open(state.path());
        assert_eq!(file.1, Notices::default());
        assert_eq!(set(&mut file, "x").unwrap(), 1);
        assert_eq!(NoticesFile::open(state.path()).1, file.1);
        assert_eq!(fs::read_dir(state.path()).unwrap().count(), 1, "nothing is left aside");
    }

    #[test]
    fn a_notice_that_cannot_be_stored_is_not_set() {
        let state = tempfile::tempdir().unwrap();
        let mut file = NoticesFile::open(&state.path().join("gone"));
        let error = set(&mut file, "x").unwrap_err().to_string();
        assert!(error.contains("notices.json"), "{error}");
        assert_eq!(file.1, Notices::default());
        let mut file = NoticesFile::open(state.path());
        assert!(set(&mut file, "a\nb").is_err());
        assert_eq!(fs::read_dir(state.path()).unwrap().count(), 0);
    }

    #[test]
    fn notices_are_cleared_by_their_ids_or_all_and_none_where_one_is_nobodys() {
        let state = tempfile::tempdir().unwrap();
        let mut file = NoticesFile::open(state.path());
        for text in ["a", "b", "c"] {
            set(&mut file, text).unwrap();
        }
        assert!(matches!(clear(&mut file, Some(&[1, 7])), Err(Unchanged::NoSuchNotice(7))));
        assert_eq!(ids(&file), [1, 2, 3]);
        assert_eq!(clear(&mut file, Some(&[2])).unwrap(), 1);
        assert_eq!(ids(&NoticesFile::open(state.path())), [1, 3]);
        assert_eq!(clear(&mut file, None).unwrap(), 2);
        assert!(ids(&NoticesFile::open(state.path())).is_empty());
    }

    #[test]
    fn a_damaged_file_is_set_aside_and_nothing_of_it_is_lost() {
        let state = tempfile::tempdir().unwrap();
        let path = state.path().join(FILE);
        let long = vec![b' '; limits::FILE_MAX + 1];
        for damaged in [&b"{\"next\":"[..], b"", b"\xff\0", &long] {
            fs::write(&path, damaged).unwrap();
            let mut file = NoticesFile::open(state.path());
            assert_eq!(file.1, Notices::default());
            assert!(!path.exists());
            assert_eq!(fs::read(state.path().join("notices.json.damaged")).unwrap(), damaged);
            assert!(set(&mut file, "x").is_ok());
        }
    }
}
