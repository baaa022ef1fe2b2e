//! Where the daemon listens for one guest.

use std::io;
use std::time::Instant;

use hostinfo_peer::Unclosed;
use rustix::process::Uid;

use crate::reactor::id::SectionId;
use crate::sockets::hybrid::{Done, GuestDir, Section};
use crate::sockets::listening::{self, EarlierSockets, Listening};
use crate::system::account::{self, USERS};
use crate::system::file_error::FileError;

/// Where one guest's VMM connects.
#[derive(Debug)]
pub(crate) struct GuestListener {
    /// Whose settings it has.
    pub(crate) section: SectionId,
    /// While it listens.
    pub(crate) socket: Option<Listening>,
    /// Who alone may connect.
    pub(crate) user: Option<Uid>,
}

impl GuestListener {
    /// Where nobody listens yet.
    pub(crate) fn new(section: SectionId) -> Self {
        Self { section, socket: None, user: None }
    }

    /// Listens in the directory of the guest of that name, if it does not already, after what was `done` for that. `None` if
    /// what is to be done next takes long.
    ///
    /// # Errors
    /// Why it cannot.
    pub(crate) fn listen(
        &mut self,
        done: Done,
        section: &mut Section,
        name: &str,
        earlier: &EarlierSockets,
        unclosed: &Unclosed,
        now: Instant,
    ) -> Option<Result<Listens, NotListening>> {
        let (way, is_there) = match done {
            Done::Found(way, is_there) => (way, is_there),
            Done::Opened(opened) => return Some(opened.map(Listens::Anew).map_err(Into::into)),
            // Whoever takes that looks for the directory again.
            Done::Closed => return None,
        };
        let directory = match way {
            Err(error) => return Some(Err(error.into())),
            Ok(GuestDir::Missing) => return Some(Ok(Listens::Nowhere)),
            Ok(GuestDir::Open(_)) if is_there => return Some(Ok(Listens::AsBefore)),
            Ok(GuestDir::Open(directory)) => Some(directory),
            Ok(GuestDir::Incomplete(Some(why))) => {
                return Some(Err(NotListening::Incomplete(why)));
            }
            Ok(GuestDir::Incomplete(None)) => None,
        };
        // Nobody is accepted at the old one any more.
        if let Some(socket) = self.socket.take()
            && !section.close(name, socket, now)
        {
            return None;
        }
        let Some(directory) = directory else { return Some(Ok(Listens::AsBefore)) };
        if unclosed.count() > 0 {
            return Some(Err(NotListening::Unclosed));
        }
        match find_user(&section.user.of(name)) {
            Ok(user) => self.user = Some(user),
            Err(why) => return Some(Err(why)),
        }
        let done = section.open(name, directory, earlier, unclosed, now)?;
        self.listen(done, section, name, earlier, unclosed, now)
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
