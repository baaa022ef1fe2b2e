//! Whether systemd's journal takes lines now.

use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use crate::logging::left_out::LeftOut;
use crate::logging::stderr::is_writable;

/// systemd-journald(8).
pub(super) const SOCKET: &str = "/run/systemd/journal/socket";

/// The journal's queue, as whoever is connected to it sees it. tracing-journald waits for a place in
/// it, which for a journal that is stopped never comes.
pub(super) struct Queue {
    probe: UnixDatagram,
    left_out: LeftOut,
}

impl Queue {
    /// That of the journal at `socket`.
    ///
    /// # Errors
    /// Where nobody listens there.
    pub(super) fn of(socket: &Path, left_out: LeftOut) -> io::Result<Self> {
        let probe = UnixDatagram::unbound()?;
        probe.connect(socket)?;
        Ok(Self { probe, left_out })
    }

    /// Whether a line has a place in it. One that has none is counted. Another process may take the
    /// last place meanwhile, so a line may wait in the moment in which the queue becomes full.
    pub(super) fn has_room(&self) -> bool {
        let has_room = is_writable(self.probe.as_fd());
        if !has_room {
            self.left_out.count();
        }
        has_room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_that_takes_nothing_has_no_room_until_it_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let journal = UnixDatagram::bind(&path).unwrap();
        let left_out = LeftOut::default();
        let queue = Queue::of(&path, left_out.clone()).unwrap();
        let sender = UnixDatagram::unbound().unwrap();
        sender.set_nonblocking(true).unwrap();
        assert!(queue.has_room());
        while sender.send_to(b"x", &path).is_ok() {}
        assert!(!queue.has_room() && !queue.has_room());
        assert_eq!(left_out.so_far(), 2);
        journal.recv(&mut [0; 8]).unwrap();
        assert!(queue.has_room());
    }
}
