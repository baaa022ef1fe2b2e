//! Where the daemon listens for one guest.

use std::ffi::OsString;
use std::os::fd::OwnedFd;

use hostinfo_answer::Name;
use rustix::process::Uid;

use crate::audit::quota::OncePerMinute;
use crate::reactor::id::SectionId;
use crate::sockets::hybrid::Section;
use crate::sockets::listening::{EarlierSockets, Listening};
use crate::system::account::{self, USERS};

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
    /// Connections of others in the log.
    pub(crate) other_users: OncePerMinute,
}

impl GuestListener {
    /// Where nobody listens yet.
    pub(crate) fn new(section: SectionId, entry: OsString) -> Self {
        let (socket, user, other_users) = (None, None, OncePerMinute::default());
        Self { section, entry, socket, user, other_users }
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
    ) -> Result<bool, String> {
        if self.socket.as_ref().is_some_and(|socket| socket.is_in(&directory)) {
            return Ok(false);
        }
        // Before another has its path.
        self.socket = None;
        self.user = Some(find_user(&section.settings.user(guest.guest()))?);
        let opened = Listening::open(directory, section.file_name(), earlier);
        self.socket = Some(opened.map_err(|error| error.to_string())?);
        Ok(true)
    }
}

/// The user of that name or number.
fn find_user(user: &str) -> Result<Uid, String> {
    match account::find(USERS, user) {
        Ok(Some(number)) => Ok(Uid::from_raw(number)),
        Ok(None) => Err(format!(
            "no user {user} in {USERS}. Give a user of LDAP or sssd by its number: getent passwd {user}"
        )),
        Err(error) => Err(error.to_string()),
    }
}
