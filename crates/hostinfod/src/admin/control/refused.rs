//! Clients that were refused at the control socket: they are sent the reason, and closed a little
//! later.

use std::collections::VecDeque;
use std::time::Instant;

use hostinfo_control::limits::{REFUSED_MAX, REFUSED_TIME};
use hostinfo_peer::PeerSocket;

use crate::stream::Stream;

/// Connections to which the reason was sent. If one were closed at once, the client might never
/// read the reason: it first sends its request, which would then fail.
#[derive(Default)]
pub(super) struct Refused(VecDeque<(Instant, Stream)>);

impl Refused {
    /// Sends the reason to another client. If there are too many, the oldest one is closed. Returns
    /// when to close the next one.
    pub(super) fn add(
        &mut self,
        socket: PeerSocket,
        reason: &[u8],
        now: Instant,
    ) -> Option<Instant> {
        // A new connection has room for more than the reason.
        let mut stream = Stream::new(socket);
        if stream.send(reason, now).is_ok() {
            self.0.push_back((now + REFUSED_TIME, stream));
        }
        if self.0.len() > REFUSED_MAX {
            self.0.pop_front();
        }
        self.next()
    }

    /// Closes those whose time is over. Returns when to close the next one.
    pub(super) fn hang_up(&mut self, now: Instant) -> Option<Instant> {
        self.0.retain(|(until, _)| *until > now);
        self.next()
    }

    /// Takes out all of them.
    pub(super) fn take(&mut self) -> impl Iterator<Item = Stream> {
        self.0.drain(..).map(|(_, stream)| stream)
    }

    fn next(&self) -> Option<Instant> {
        self.0.front().map(|(until, _)| *until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;
    use std::time::Duration;

    #[test]
    fn a_reason_can_be_read_after_a_request_was_sent_and_then_comes_the_end() {
        let (mut refused, now) = (Refused::default(), Instant::now());
        let (mut client, ours) = UnixStream::pair().unwrap();
        let until = refused.add(OwnedFd::from(ours).into(), b"no room", now).unwrap();
        client.write_all(b"what I came for").unwrap();
        let mut heard = [0; 7];
        client.read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"no room");
        assert_eq!(refused.hang_up(until - Duration::from_millis(1)), Some(until));
        assert_eq!(refused.hang_up(until), None);
        assert!(client.write_all(b"more").is_err());
    }

    #[test]
    fn no_more_are_kept_than_the_bound_and_the_oldest_go_first() {
        let (mut refused, now) = (Refused::default(), Instant::now());
        let mut clients = Vec::new();
        for _ in 0..3 * REFUSED_MAX {
            let (client, ours) = UnixStream::pair().unwrap();
            refused.add(OwnedFd::from(ours).into(), b"x", now);
            clients.push(client);
        }
        assert_eq!(refused.0.len(), REFUSED_MAX);
        let is_open = |client: &mut UnixStream| client.write_all(b"x").is_ok();
        let open: Vec<bool> = clients.iter_mut().map(is_open).collect();
        assert_eq!(open.iter().filter(|open| **open).count(), REFUSED_MAX);
        assert!(open.is_sorted());
    }
}
