//! A connection of a client: bytes in, bytes out.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use hostinfo_peer::{PeerSocket, ReadError};
use hostinfo_wire::limits::{READ_CHUNK, WRITE_DEADLINE};
use rustix::io::Errno;

use crate::serve::bucket::Bucket;
use crate::serve::limits::{BYTES, LINES};

/// The connection is over: the other end is closed, or did not read for too long.
#[derive(Debug)]
pub(crate) struct Over;

/// Times are those of [`clock`](super::clock).
pub(crate) struct Connection {
    stream: PeerSocket,
    /// Bytes that are not written yet, and since when.
    unsent: Vec<u8>,
    unsent_since: Duration,
    /// Whether the input has ended.
    has_ended: bool,
    bytes: Bucket,
    lines: Bucket,
}

impl Connection {
    /// Of a stream that does not block.
    pub(crate) fn new(stream: PeerSocket) -> Self {
        Self {
            stream,
            unsent: Vec::new(),
            unsent_since: Duration::ZERO,
            has_ended: false,
            bytes: Bucket::default(),
            lines: Bucket::default(),
        }
    }

    /// The number of reply bytes that are not written yet.
    pub(crate) fn unsent(&self) -> usize {
        self.unsent.len()
    }

    /// Whether the input has ended and nothing is left to write.
    pub(crate) fn is_done(&self) -> bool {
        self.has_ended && self.unsent.is_empty()
    }

    /// Whether the input has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// The deadline for reading its replies.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        (!self.unsent.is_empty()).then(|| self.unsent_since + WRITE_DEADLINE)
    }

    /// When its next line may be answered, and more of it read.
    pub(crate) fn ready_at(&self) -> Duration {
        self.bytes.ready_at(BYTES).max(self.lines.ready_at(LINES))
    }

    /// Counts a line as answered.
    pub(crate) fn count_line(&mut self, now: Duration) {
        self.lines.take(1, LINES, now);
    }

    /// Reads what has arrived, at most [`READ_CHUNK`].
    ///
    /// # Errors
    /// [`Over`].
    pub(crate) fn read(&mut self, now: Duration) -> Result<Vec<u8>, Over> {
        let mut chunk = vec![0; READ_CHUNK];
        match self.stream.read(&mut chunk) {
            Ok(0) => self.has_ended = true,
            Ok(length) => {
                self.bytes.take(u32::try_from(length).unwrap_or(u32::MAX), BYTES, now);
                chunk.truncate(length);
                return Ok(chunk);
            }
            Err(ReadError::System(Errno::AGAIN | Errno::INTR)) => {}
            Err(_) => return Err(Over),
        }
        Ok(Vec::new())
    }

    /// Sends bytes, as far as the other end accepts them now.
    ///
    /// # Errors
    /// [`Over`].
    pub(crate) fn send(&mut self, bytes: &[u8], now: Duration) -> Result<(), Over> {
        if self.unsent.is_empty() {
            self.unsent_since = now;
        }
        self.unsent.extend_from_slice(bytes);
        self.flush(now)
    }

    /// Sends what is left, as far as the other end accepts it now.
    ///
    /// # Errors
    /// [`Over`], also if it has taken too long.
    pub(crate) fn flush(&mut self, now: Duration) -> Result<(), Over> {
        let mut sent = 0;
        while let Some(rest) = self.unsent.get(sent..).filter(|rest| !rest.is_empty()) {
            match rustix::io::write(&self.stream, rest) {
                Ok(0) => return Err(Over),
                Ok(length) => sent += length,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Err(_) => return Err(Over),
            }
        }
        self.unsent.drain(..sent);
        if self.unsent.is_empty() {
            // Frees the buffer of a long reply.
            self.unsent = Vec::new();
        } else if self.deadline().is_some_and(|deadline| now >= deadline) {
            return Err(Over);
        }
        Ok(())
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;

    const NOW: Duration = Duration::from_secs(1000);

    fn pair() -> (UnixStream, Connection) {
        let (one, other) = UnixStream::pair().unwrap();
        other.set_nonblocking(true).unwrap();
        (one, Connection::new(OwnedFd::from(other).into()))
    }

    #[test]
    fn bytes_that_the_other_end_does_not_take_are_kept_until_the_deadline() {
        let (mut one, mut connection) = pair();
        let long = vec![b'x'; 1024 * 1024];
        connection.send(&long, NOW).unwrap();
        let left = connection.unsent();
        assert!(left > 0 && left < long.len());
        assert!(connection.flush(NOW + WRITE_DEADLINE).is_err());
        let mut read = vec![0; long.len() - left];
        one.read_exact(&mut read).unwrap();
        connection.flush(NOW).unwrap();
        assert!(connection.unsent() < left);
    }

    #[test]
    fn a_client_that_has_shut_down_its_sending_side_still_gets_the_answer() {
        let (mut one, mut connection) = pair();
        one.write_all(b"ping\n").unwrap();
        one.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(connection.read(NOW).unwrap(), b"ping\n");
        assert!(connection.read(NOW).unwrap().is_empty() && connection.has_ended());
        connection.send(b"200 pong\n", NOW).unwrap();
        assert!(connection.is_done());
        drop(connection);
        let mut answer = String::new();
        one.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "200 pong\n");
    }

    #[test]
    fn a_client_that_floods_is_not_read_from_for_a_while() {
        let (mut one, mut connection) = pair();
        one.set_nonblocking(true).unwrap();
        let mut turns = 0;
        while connection.ready_at() <= NOW {
            let _ = one.write(&[b'#'; READ_CHUNK]);
            connection.read(NOW).unwrap();
            turns += 1;
        }
        assert!(turns >= 64 && connection.ready_at() < NOW + Duration::from_secs(1), "{turns}");
    }
}
