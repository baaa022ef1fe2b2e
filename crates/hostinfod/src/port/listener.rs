//! Where the daemon listens for one guest.

use std::ffi::OsString;
use std::io;
use std::time::Instant;

use hostinfo_answer::Name;
use hostinfo_peer::Unclosed;
use rustix::process::Uid;

use crate::reactor::id::SectionId;
use crate::sockets::hybrid::{GuestDir, Section};
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

    /// Listens in the guest's directory, if it does not already. `None` while that is being looked at.
    ///
    /// # Errors
    /// Why it cannot.
    pub(crate) fn listen(
        &mut self,
        section: &mut Section,
        guest: &Name,
        earlier: &EarlierSockets,
        unclosed: &Unclosed,
        now: Instant,
    ) -> Option<Result<Listens, NotListening>> {
        let anew = |opened: Result<_, listening::Error>| Ok(Listens::Anew(opened?));
        if let Some(opened) = section.take_opened(&self.entry) {
            return Some(anew(opened));
        }
        if section.is_opening(&self.entry) {
            return None;
        }
        let made = self.socket.as_ref().map(Listening::made);
        let (found, is_there) = section.find(&self.entry, made, now)?;
        let directory = match found {
            Err(error) => return Some(Err(error.into())),
            Ok(GuestDir::Missing) => return Some(Ok(Listens::Nowhere)),
            Ok(GuestDir::Open(_)) if is_there => return Some(Ok(Listens::AsBefore)),
            Ok(GuestDir::Open(directory)) => directory,
            Ok(GuestDir::Incomplete(why)) => {
                self.socket = None;
                let why = why.map(NotListening::Incomplete);
                return Some(why.map_or(Ok(Listens::AsBefore), Err));
            }
        };
        // Nobody is accepted at the old one any more. A thread removes its file, if that is still in its place.
        self.socket = None;
        if unclosed.count() > 0 {
            return Some(Err(NotListening::Unclosed));
        }
        match find_user(&section.settings.user(guest.guest())) {
            Ok(user) => self.user = Some(user),
            Err(why) => return Some(Err(why)),
        }
        section.listen(&self.entry, directory, earlier, unclosed, now).map(anew)
    }
}

/// Where the daemon listens for a guest now.
#[derive(Debug)]
pub(crate) enum Listens {
    /// The guest has no directory.
    Nowhere,
    /// Where it did, if it did.
    AsBefore,
    /// At a new socket.
    Anew(Listening),
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
    /// Before Linux 6.16: whoever waited at the old socket had sent some.
    #[error(
        "descriptors that were sent to the socket before take long to close: it is made when they are; end the process that \
         has sent them"
    )]
    Unclosed,
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
            Self::Unclosed => true,
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
