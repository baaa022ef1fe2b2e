//! The connection of a client: sends calls, and waits for replies up to a deadline.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use serde::de::DeserializeOwned;
use varlink::sansio::{self, ClientEvent};

use crate::limits::{REPLY_MAX, REQUEST_MAX};
use crate::{Call, Error};

/// Bytes read at a time.
const CHUNK: usize = 64 * 1024;

pub(super) struct Connection {
    path: PathBuf,
    stream: UnixStream,
    deadline: Duration,
    protocol: sansio::Client,
    buffer: Box<[u8]>,
    /// Bytes received of a reply that is not complete yet.
    unfinished: usize,
}

impl Connection {
    pub(super) fn open(path: &Path, deadline: Duration) -> Result<Self, Error> {
        let stream = connect(path, deadline).map_err(|error| failed(path, deadline, error))?;
        let (protocol, buffer) = (sansio::Client::new(), vec![0; CHUNK].into());
        Ok(Self { path: path.to_owned(), stream, deadline, protocol, buffer, unfinished: 0 })
    }

    pub(super) fn process(&self) -> Option<u32> {
        let peer = getsockopt(&self.stream, PeerCredentials).ok()?;
        u32::try_from(peer.pid()).ok().filter(|pid| *pid != 0)
    }

    /// The reply to a call, which may take as long as other replies and `more`.
    pub(super) fn ask<R: DeserializeOwned>(
        &mut self,
        call: &Call,
        more: Duration,
    ) -> Result<R, Error> {
        let deadline = self.deadline + more;
        self.send(call, false)?;
        let until = Instant::now() + deadline;
        loop {
            if let Some((reply, _)) = self.next_reply()? {
                return Ok(reply);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Error::Silent { path: self.path.clone(), within: deadline });
            }
            self.wait_at_most(Some(left))?;
            self.receive()?;
        }
    }

    /// Sends a call. `more`: it has more than one reply.
    pub(super) fn send(&mut self, call: &Call, more: bool) -> Result<(), Error> {
        let nonsense = |error: &dyn std::fmt::Display| Error::Nonsense(error.to_string());
        let call = serde_json::to_value(call).map_err(|error| nonsense(&error))?;
        let mut request: varlink::Request<'static> =
            serde_json::from_value(call).map_err(|error| nonsense(&error))?;
        request.more = more.then_some(true);
        let length = serde_json::to_vec(&request).map_err(|error| nonsense(&error))?.len();
        if length > REQUEST_MAX {
            return Err(Error::TooLong(length));
        }
        let method = request.method.clone().into_owned();
        self.protocol.send_request(method, request).map_err(|error| nonsense(&error))?;
        while let Some(bytes) = self.protocol.poll_transmit() {
            match self.stream.write_all(&bytes.payload) {
                // The daemon may have sent the reason before it closed the connection.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
                other => other.map_err(|error| self.failed(error))?,
            }
        }
        Ok(())
    }

    /// The next reply, if it is complete, and whether more replies to the same call follow.
    pub(super) fn next_reply<R: DeserializeOwned>(&mut self) -> Result<Option<(R, bool)>, Error> {
        let Some(event) = self.protocol.poll_event() else { return Ok(None) };
        self.unfinished = 0;
        let ClientEvent::Reply { reply, continues, .. } = event else {
            return Err(Error::Nonsense("no reply".to_owned()));
        };
        let nonsense = |error: serde_json::Error| Error::Nonsense(error.to_string());
        let parameters = reply.parameters.unwrap_or_else(|| serde_json::json!({}));
        if let Some(error) = reply.error {
            let refusal = serde_json::json!({ "error": error, "parameters": parameters });
            return Err(Error::Refused(serde_json::from_value(refusal).map_err(nonsense)?));
        }
        Ok(Some((serde_json::from_value(parameters).map_err(nonsense)?, continues)))
    }

    /// Reads once, for at most as long as [`Self::wait_at_most`] says. Nothing may have come by then.
    pub(super) fn receive(&mut self) -> Result<(), Error> {
        let count = match self.stream.read(&mut self.buffer) {
            Ok(0) => return Err(Error::Closed(self.path.clone())),
            Ok(count) => count,
            // The caller looks at the time that is left: what it waits for may take longer than the deadline of others.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock
                ) =>
            {
                0
            }
            Err(error) => return Err(self.failed(error)),
        };
        self.unfinished += count;
        if self.unfinished > REPLY_MAX {
            return Err(Error::Nonsense(format!("a reply of over {REPLY_MAX} bytes")));
        }
        let bytes = self.buffer.get(..count).unwrap_or_default();
        self.protocol.handle_input(bytes).map_err(|error| Error::Nonsense(error.to_string()))
    }

    /// Bounds the next readings; `None`: they wait without end.
    pub(super) fn wait_at_most(&self, time: Option<Duration>) -> Result<(), Error> {
        self.stream.set_read_timeout(time).map_err(|error| self.failed(error))
    }

    fn failed(&self, error: io::Error) -> Error {
        failed(&self.path, self.deadline, error)
    }
}

/// If many clients connect, connect(2) waits. SO_SNDTIMEO bounds that wait: unix(7).
fn connect(path: &Path, deadline: Duration) -> io::Result<UnixStream> {
    let address = SocketAddrUnix::new(path)?;
    let flags = SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    set_socket_timeout(&socket, Timeout::Send, Some(deadline))?;
    rustix::net::connect(&socket, &address)?;
    Ok(socket.into())
}

fn failed(path: &Path, deadline: Duration, error: io::Error) -> Error {
    let path = path.to_owned();
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Error::NoDaemon { path },
        io::ErrorKind::PermissionDenied => {
            Error::Denied { path, user: rustix::process::geteuid().as_raw() }
        }
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            Error::Silent { path, within: deadline }
        }
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => Error::Closed(path),
        _ => Error::Failed { path, error },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    use crate::Metrics;

    #[test]
    fn the_error_for_an_answer_that_may_take_longer_than_others_names_that_longer_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        let _listener = UnixListener::bind(&path).unwrap();
        let [deadline, more] = [50, 100].map(Duration::from_millis);
        let mut connection = Connection::open(&path, deadline).unwrap();
        assert_eq!(connection.process(), Some(std::process::id()));
        let answer = connection.ask::<Metrics>(&Call::Metrics {}, more);
        assert!(matches!(answer, Err(Error::Silent { within, .. }) if within == deadline + more));
    }
}
