//! The place of one `[[listen]]`: which guests have a directory there, and where to listen in it.

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Instant;

use hostinfo_file::aside::Signal;
use hostinfo_peer::Unclosed;

use crate::settings::hybrid::{Hybrid, VmmUser};
use crate::sockets::listening::{self, EarlierSockets, Listening, Made};
use crate::sockets::place::Place;
use crate::sockets::way::{Obstacle, Way};
use crate::system::file_error::FileError;

/// One `[[listen]]`. What is above the guests' directories is awaited while it is not there.
#[derive(Debug)]
pub(crate) struct Section {
    pub(crate) place: Place<Done>,
    /// Who may connect.
    pub(crate) user: VmmUser,
}

/// What a thread has done in the directory of a guest: one thing at a time, so that a VMM which exchanges its directory again
/// and again holds one thread at the most.
#[derive(Debug)]
pub(crate) enum Done {
    /// It has looked how far there is a way to where the daemon listens, and whether its socket is still there.
    Found(Result<GuestDir, FileError>, bool),
    /// It has made a socket.
    Opened(Result<Listening, listening::Error>),
    /// It has removed the file of a socket.
    Closed,
}

/// How far there is a way to where the daemon listens for a guest.
#[derive(Debug)]
pub(crate) enum GuestDir {
    /// The guest has no directory.
    Missing,
    /// It has one, and more is needed; why more does not come by itself.
    Incomplete(Option<String>),
    /// To the directory in which it listens.
    Open(OwnedFd),
}

impl Section {
    /// Nothing is looked at yet.
    ///
    /// # Errors
    /// Where nothing can be watched.
    pub(crate) fn new(settings: Hybrid, ended: &Signal) -> io::Result<Self> {
        let Hybrid { entry, user } = settings;
        Ok(Self { place: Place::new(entry, ended)?, user })
    }

    /// Whether that is the same but for who is enabled.
    pub(crate) fn is_place_of(&self, settings: &Hybrid) -> bool {
        self.place.entry().is_place_of(&settings.entry) && self.user == settings.user
    }

    /// Goes down to the directory in which to listen for a guest, as far as there is a way, and watches it. `made` is the
    /// file of the socket at which the daemon listens for the guest. `None` if that takes long.
    pub(crate) fn find(
        &mut self,
        name: &str,
        made: Option<Arc<Made>>,
        now: Instant,
    ) -> Option<Done> {
        let pattern = &self.place.entry().pattern;
        let (way, text) = (Way::new(pattern, name), pattern.text().to_owned());
        let (below, guest) = (Arc::clone(self.place.below()), name.to_owned());
        let look = move || {
            // A VMM can put other directories in the place of those that are watched.
            below.forget(&guest);
            let found = way.descend(|directory| below.watch(directory, guest.clone(), &text));
            let is_there = match (&found, made) {
                (Ok(directory), Some(made)) => made.is_in(directory),
                _ => false,
            };
            Done::Found(guest_dir(found), is_there)
        };
        self.place.look(name, look, now)
    }

    /// Makes a socket in the directory that was found for a guest; `None` if that takes long.
    pub(crate) fn open(
        &mut self,
        name: &str,
        directory: OwnedFd,
        earlier: &EarlierSockets,
        unclosed: &Unclosed,
        now: Instant,
    ) -> Option<Done> {
        let file_name = self.place.entry().pattern.below().last().cloned().unwrap_or_default();
        let (earlier, unclosed, owner) = (earlier.clone(), unclosed.clone(), self.place.owner());
        let open = move || {
            let file_name = OsStr::new(&file_name);
            Done::Opened(Listening::open(directory, file_name, &earlier, &unclosed, owner))
        };
        self.place.look(name, open, now)
    }

    /// Listens at a guest's socket no more. Returns whether its file is removed already. If not, nothing else is done there
    /// before it is.
    pub(crate) fn close(&mut self, name: &str, socket: Listening, now: Instant) -> bool {
        // Where something else is done for a guest that is not enabled any more, it is removed beside that.
        if self.place.ask_again(name) {
            return true;
        }
        let remove = socket.close();
        let close = move || {
            remove();
            Done::Closed
        };
        self.place.look(name, close, now).is_some()
    }
}

fn guest_dir(found: Result<OwnedFd, Obstacle>) -> Result<GuestDir, FileError> {
    let Obstacle { at, depth, error } = match found {
        Ok(directory) => return Ok(GuestDir::Open(directory)),
        Err(obstacle) => obstacle,
    };
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory if depth <= 1 => {
            Ok(GuestDir::Missing)
        }
        io::ErrorKind::NotFound => Ok(GuestDir::Incomplete(None)),
        io::ErrorKind::NotADirectory => {
            let at = at.display();
            let why = format!("{at}: is not a directory, or a symbolic link to one: make it one");
            Ok(GuestDir::Incomplete(Some(why)))
        }
        _ => Err(FileError::of(&at)(error)),
    }
}

#[cfg(test)]
mod tests;
