//! Where the daemon listens for one guest.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;

use hostinfo_answer::Name;
use hostinfo_peer::Unclosed;
use rustix::process::Uid;

use crate::reactor::id::SectionId;
use crate::sockets::hybrid::Section;
use crate::sockets::listening::{self, EarlierSockets, Listening};
use crate::system::account::{self, USERS};
use crate::system::file_error::FileError;

/// Where one guest's VMM connects.
#[derive(Debug)]
pub(crate) struct GuestListener {
    /// Whose settings it has.
    pub(crate) section: SectionId,
    /// The guest's directory there.
    pub(crate) entry: OsString,
    /// While it listens.
    pub(crate) socket: Option<Listening>,
    /// Who may connect besides root.
    pub(crate) user: Option<Uid>,
}

impl GuestListener {
    /// Where nobody listens yet.
    pub(crate) fn new(section: SectionId, entry: OsString) -> Self {
        Self { section, entry, socket: None, user: None }
    }

    /// Listens in that directory, if it does not already. Whether it has begun to just now.
    ///
    /// # Errors
    /// Why it cannot.
    pub(crate) fn listen(
        &mut self,
        section: &Section,
        directory: OwnedFd,
        guest: &Name,
        earlier: &mut EarlierSockets,
        unclosed: &Unclosed,
    ) -> Result<bool, NotListening> {
        if self.socket.as_ref().is_some_and(|socket| socket.is_in(&directory)) {
            return Ok(false);
        }
        // Before another has its path.
        self.socket = None;
        self.user = Some(find_user(&section.settings.user(guest.guest()))?);
        self.socket = Some(Listening::open(directory, section.file_name(), earlier, unclosed)?);
        Ok(true)
    }
}

/// Why the daemon does not listen for a guest.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotListening {
    /// Something on the way is not what it has to be.
    #[error("{0}")]
    Incomplete(String),
    /// The user of the settings, who may connect, does not exist.
    #[error("no user {0} in {USERS}. Give a user of LDAP or sssd by its number: getent passwd {0}")]
    NoUser(String),
    /// A directory on the way, or the list of users.
    #[error(transparent)]
    Unread(#[from] FileError),
    /// The socket cannot be made.
    #[error(transparent)]
    Socket(#[from] listening::Error),
    /// It cannot be waited for.
    #[error(transparent)]
    Unwaited(#[from] io::Error),
}

impl NotListening {
    /// Whether it is to be tried again soon: see [`hostinfo_file::is_passing`].
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Incomplete(_) | Self::NoUser(_) => false,
            Self::Unread(error) => error.is_passing(),
            Self::Socket(error) => error.is_passing(),
            Self::Unwaited(error) => hostinfo_file::is_passing(error),
        }
    }
}

/// The user of that name or number.
fn find_user(user: &str) -> Result<Uid, NotListening> {
    let number = account::find(USERS, user)?;
    number.map(Uid::from_raw).ok_or_else(|| NotListening::NoUser(user.to_owned()))
}
