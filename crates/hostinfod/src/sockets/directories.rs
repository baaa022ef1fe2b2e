//! The socket directories: the main one, and the one for vhostmd's clients in it.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use hostinfo_answer::Dialect;
use hostinfo_domains::VHOSTMD_DIR;

use crate::sockets::directory::SocketDir;
use crate::sockets::lock;
use crate::system::file_error::FileError;

/// A directory for each dialect.
pub(crate) struct Directories {
    hostinfo: SocketDir,
    vhostmd: SocketDir,
    /// Why the second one could not be created.
    unmade: Option<String>,
}

impl Directories {
    /// Watches and locks both, with the locks that another program took, if any. With `await_it`, a main directory that
    /// cannot be opened is waited for, because there is something to serve without it.
    ///
    /// # Errors
    /// The main directory cannot be opened, or another daemon has it.
    pub(crate) fn open(
        path: &Path,
        await_it: bool,
        [of_hostinfo, of_vhostmd]: [Option<OwnedFd>; 2],
    ) -> Result<Self, lock::Error> {
        let hostinfo = match SocketDir::open(path, of_hostinfo) {
            Err(error) if await_it && !matches!(error, lock::Error::Held { .. }) => {
                tracing::warn!("{error}; no guests are served from it until it can be opened");
                let mut awaited = SocketDir::awaiting(path)?;
                let _ = awaited.look_again();
                awaited
            }
            other => other?,
        };
        let of_vhostmd_clients = path.join(VHOSTMD_DIR);
        // To wait for it means to watch all entries of the directories above, which may be many.
        let unmade = hostinfo.directory().and_then(|_| make(&of_vhostmd_clients));
        let mut vhostmd = SocketDir::awaiting(&of_vhostmd_clients)?;
        vhostmd.set_lock(of_vhostmd);
        let mut directories = Self { hostinfo, vhostmd, unmade };
        directories.look_for_the_second();
        Ok(directories)
    }

    /// The open directories, whose locks another program goes on with.
    pub(crate) fn locks(&self) -> [Option<BorrowedFd<'_>>; 2] {
        [&self.hostinfo, &self.vhostmd].map(|one| one.directory().map(AsFd::as_fd))
    }

    /// Looks for the second directory again. If the main one was created anew, the second one has
    /// to be created with it.
    pub(crate) fn look_for_the_second(&mut self) {
        if self.hostinfo.directory().is_some() {
            let before = std::mem::replace(&mut self.unmade, make(self.vhostmd.path()));
            if let Some(problem) = self.unmade.as_ref().filter(|_| before != self.unmade) {
                tracing::warn!("{problem}");
            }
            let _ = self.vhostmd.look_again();
        }
    }

    /// Why guests are not served from one of them, with the remedy. If the second one is missing, where the
    /// daemon may not make it, that is no problem; something else in its place is one.
    pub(crate) fn problem(&self) -> Option<&str> {
        let of_second =
            self.vhostmd.problem().filter(|_| self.vhostmd.path().symlink_metadata().is_ok());
        self.hostinfo.problem().or(of_second)
    }

    /// The directory of a dialect.
    pub(crate) fn of(&self, dialect: Dialect) -> &SocketDir {
        match dialect {
            Dialect::Hostinfo => &self.hostinfo,
            Dialect::Vhostmd => &self.vhostmd,
        }
    }

    /// The directory of a dialect.
    pub(crate) fn of_mut(&mut self, dialect: Dialect) -> &mut SocketDir {
        match dialect {
            Dialect::Hostinfo => &mut self.hostinfo,
            Dialect::Vhostmd => &mut self.vhostmd,
        }
    }
}

/// QEMU has to reach the sockets in it, and nobody needs to list them. Returns why it cannot be created: at the start,
/// that opening it finds it missing is enough.
fn make(path: &Path) -> Option<String> {
    let made = hostinfo_file::make_directory(path, 0o711).map_err(FileError::of_writing(path));
    made.inspect_err(|error| tracing::debug!("{error}")).err().map(|error| error.to_string())
}
