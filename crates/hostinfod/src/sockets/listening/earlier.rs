//! Sockets that listened before this program began.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hostinfo_peer::{PeerListener, Unclosed};
use rustix::net::sockopt;

use super::{NAME_PREFIX, name_of};
use crate::system::file_id::FileId;
use crate::system::systemd;

/// Sockets that an earlier run of the daemon made, and that still listen.
#[derive(Debug, Clone, Default)]
pub(crate) struct EarlierSockets(Arc<Mutex<Vec<(String, PeerListener)>>>);

impl EarlierSockets {
    /// Those among what the service manager has handed over; the others are left there.
    pub(crate) fn of(handed_over: &mut Vec<(String, OwnedFd)>) -> Self {
        let ours = handed_over.extract_if(.., |(name, _)| name.starts_with(NAME_PREFIX));
        let ours = ours.map(|(name, socket)| (name, PeerListener::new(socket)));
        Self(Arc::new(Mutex::new(ours.collect())))
    }

    /// The one whose file that is.
    pub(super) fn take(&self, file: FileId) -> Option<PeerListener> {
        let (name, mut sockets) = (name_of(file), self.lock());
        let place = sockets.iter().position(|(other, _)| *other == name)?;
        let (_, socket) = sockets.swap_remove(place);
        sockopt::socket_acceptconn(&socket).is_ok_and(|listens| listens).then_some(socket)
    }

    /// Gives up all that nobody has taken.
    pub(crate) fn give_up(&self) {
        for (name, socket) in self.lock().drain(..) {
            socket.hang_up(&Unclosed::default());
            systemd::forget(&name);
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Vec<(String, PeerListener)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
