//! Where the daemon listens for one guest.

use std::ffi::OsString;
use std::io;

use hostinfo_answer::Name;
use rustix::process::Uid;

use crate::reactor::id::SectionId;
use crate::sockets::hybrid::Section;
use crate::sockets::listening::{self, Listening};
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

    /// Finds who may connect.
    ///
    /// # Errors
    /// There is no such user.
    pub(crate) fn find_user(
        &mut self,
        section: &Section,
        guest: &Name,
    ) -> Result<(), NotListening> {
        let user = section.settings.user(guest.guest());
        let number = account::find(USERS, &user)?.ok_or(NotListening::NoUser(user))?;
        self.user = Some(Uid::from_raw(number));
        Ok(())
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
