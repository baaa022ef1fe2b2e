//! A statistic's file.

use std::fs::OpenOptions;
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};

use rustix::fs::OFlags;

use crate::account::Account;
use crate::failure::Failure;
use crate::limits::OUTPUT_MAX;

/// A file's bytes, up to one more than [`OUTPUT_MAX`].
///
/// # Errors
/// Where it cannot be read, is no regular file, or is none that `account` may read. Else a path
/// through somebody's directory would let him show any file of the host to a guest.
pub(crate) fn read(path: &str, account: Option<Account>) -> Result<Vec<u8>, Failure> {
    let unread = |error| Failure::Unread(path.to_owned(), error);
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)
        .map_err(unread)?;
    let found = file.metadata().map_err(unread)?;
    if !found.is_file() {
        return Err(Failure::NoFile(path.to_owned()));
    }
    if let Some(account) = account
        && !may_read(account, found.uid(), found.gid(), found.mode())
    {
        return Err(Failure::Withheld { path: path.to_owned(), uid: account.uid });
    }
    let mut bytes = Vec::new();
    file.take(OUTPUT_MAX as u64 + 1).read_to_end(&mut bytes).map_err(unread)?;
    Ok(bytes)
}

fn may_read(account: Account, owner: u32, group: u32, mode: u32) -> bool {
    let bit = if owner == account.uid {
        0o400
    } else if group == account.gid {
        0o040
    } else {
        0o004
    };
    mode & bit != 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, Mode};
    use std::fs;

    #[test]
    fn only_regular_files_are_read_and_nothing_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        fs::write(path("file"), "7\n").unwrap();
        rustix::fs::mknodat(CWD, path("pipe"), rustix::fs::FileType::Fifo, Mode::RWXU, 0).unwrap();
        assert_eq!(read(&path("file"), None).unwrap(), b"7\n");
        assert!(matches!(read(&path("pipe"), None), Err(Failure::NoFile(_))));
        assert!(matches!(read(&path(""), None), Err(Failure::NoFile(_))));
        assert!(matches!(read("/dev/zero", None), Err(Failure::NoFile(_))));
        assert!(matches!(read(&path("none"), None), Err(Failure::Unread(..))));
    }

    #[test]
    fn a_large_file_is_read_as_far_as_it_takes_to_see_that_it_is_large() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, vec![b'x'; 1 << 20]).unwrap();
        assert_eq!(read(path.to_str().unwrap(), None).unwrap().len(), OUTPUT_MAX + 1);
    }

    #[test]
    fn a_file_that_the_user_may_not_read_is_not_shown() {
        let user = Account { uid: 7, gid: 8 };
        for (owner, group, mode, may) in [
            (0, 0, 0o644, true),
            (0, 0, 0o640, false),
            (0, 8, 0o640, true),
            (7, 0, 0o400, true),
            (7, 8, 0o044, false),
            (0, 8, 0o604, false),
        ] {
            assert_eq!(may_read(user, owner, group, mode), may, "{owner} {group} {mode:o}");
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        let read = read(file.path().to_str().unwrap(), Some(user));
        assert!(matches!(read, Err(Failure::Withheld { .. })));
    }
}
