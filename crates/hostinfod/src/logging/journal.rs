//! Whether systemd's journal can take a line now.

use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use crate::logging::left_out::LeftOut;
use crate::logging::stderr::is_writable;

/// systemd-journald(8).
pub(super) const SOCKET: &str = "/run/systemd/journal/socket";

/// The journal's queue, as a connected sender sees it. tracing-journald waits for room in it, and
/// if the journal is stopped there never is any.
pub(super) struct Queue {
    probe: UnixDatagram,
    left_out: LeftOut,
}

impl Queue {
    /// The queue of the journal at `socket`.
    ///
    /// # Errors
    /// Nobody listens there.
    pub(super) fn of(socket: &Path, left_out: LeftOut) -> io::Result<Self> {
        let probe = UnixDatagram::unbound()?;
        probe.connect(socket)?;
        Ok(Self { probe, left_out })
    }

    /// Whether there is room for a line. If not, the line is counted as left out. Another process
    /// may take the last place in the meantime, so a line may still wait at the moment in which the
    /// queue fills up.
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
