//! Sockets outside the socket directory: the place of one `[[sockets]]`.
//!
//! Nothing is made, changed or removed there, and nothing is opened but what matches the pattern in full: beside it
//! are other sockets of the VMM, each of which serves one client.

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Instant;

use rustix::io::Errno;

use crate::sockets::place::Place;
use crate::sockets::way::{Obstacle, Way};
use crate::sockets::{self, ConnectError, Found};

/// One `[[sockets]]`.
pub(crate) type PatternDir = Place<Seen>;

/// What a look at the socket of a guest has found.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) found: Found,
    /// Something had happened there. Otherwise the socket was to be tried again.
    pub(crate) is_of_change: bool,
}

impl PatternDir {
    /// Watches the directories of a guest's own as far as they are there, and looks for its socket. `None` if that is found
    /// late.
    pub(crate) fn watch_and_find(&mut self, name: &str, now: Instant) -> Option<Found> {
        let (below, guest) = (Arc::clone(self.below()), name.to_owned());
        let text = self.entry().pattern.text().to_owned();
        let (socket, way) = self.way(name);
        let look = move || {
            // Another directory may have the place of one that was watched.
            below.forget(&guest);
            let found = find(way, &socket, |directory| {
                if let Err(error) = below.watch(directory, guest.clone(), &text) {
                    let why = format!("{text}: a directory of {guest} cannot be watched: {error}");
                    below.log_unwatched(&why);
                }
                Ok(())
            });
            Seen { found, is_of_change: true }
        };
        self.look(name, look, now).map(|seen| seen.found)
    }

    /// The socket of the guest of that name; `None` if it is found late.
    pub(crate) fn find(&mut self, name: &str, now: Instant) -> Option<Found> {
        let (socket, way) = self.way(name);
        let look = move || Seen { found: find(way, &socket, |_| Ok(())), is_of_change: false };
        self.look(name, look, now).map(|seen| seen.found)
    }

    fn way(&self, name: &str) -> (String, Way) {
        let pattern = &self.entry().pattern;
        (pattern.segments(name).pop().unwrap_or_default(), Way::new(pattern, name))
    }
}

fn find(way: Way, socket: &str, watch: impl Fn(&OwnedFd) -> io::Result<()>) -> Found {
    match way.descend(watch) {
        Ok(directory) => sockets::find(directory, OsStr::new(socket)),
        Err(Obstacle { at, depth, error }) => Err(match Errno::from_io_error(&error) {
            Some(Errno::NOTDIR) if depth > 0 => ConnectError::NoDirectory(at),
            Some(error) => error.into(),
            None => ConnectError::Failed(error),
        }),
    }
}

#[cfg(test)]
mod tests;
