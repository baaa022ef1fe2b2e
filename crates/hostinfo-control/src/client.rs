//! A client that waits for replies, with a deadline.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use serde::de::DeserializeOwned;
use varlink::sansio::{self, ClientEvent};

use crate::limits::{PREVIEW_TIME, REPLY_MAX, REQUEST_MAX};
use crate::{
    Call, Cleared, Error, Event, Explanation, Guest, HostState, HostStateReply, Metrics, Notice,
    NoticeKind, Notices, Page, Preview, Rules, SetNotice, Stats, Status,
};

/// Bytes read at a time.
const CHUNK: usize = 64 * 1024;

/// A connection to the daemon.
pub struct Client {
    path: PathBuf,
    stream: UnixStream,
    deadline: Duration,
    protocol: sansio::Client,
    buffer: Box<[u8]>,
    /// Bytes received of a reply that is not complete yet.
    unfinished: usize,
}

impl Client {
    /// Connects to the daemon at `path`. Each of its replies may take up to `deadline`.
    ///
    /// # Errors
    /// [`Error`], if no daemon is there or the user may not ask it.
    pub fn connect(path: &Path, deadline: Duration) -> Result<Self, Error> {
        let stream = connect(path, deadline).map_err(|error| failed(path, deadline, error))?;
        let (protocol, buffer) = (sansio::Client::new(), vec![0; CHUNK].into());
        Ok(Self { path: path.to_owned(), stream, deadline, protocol, buffer, unfinished: 0 })
    }

    /// What the daemon does, and what is wrong with the things it needs.
    ///
    /// # Errors
    /// [`Error`], as for every method here.
    pub fn status(&mut self) -> Result<Status, Error> {
        self.ask(&Call::Status {})
    }

    /// Every guest, sorted by name.
    ///
    /// # Errors
    /// [`Error`].
    pub fn list(&mut self) -> Result<Vec<Guest>, Error> {
        let mut all: Vec<Guest> = Vec::new();
        loop {
            let after = all.last().map(|guest| guest.guest.clone());
            let Page { guests, complete } = self.ask(&Call::List { after })?;
            let is_last = complete || guests.is_empty();
            all.extend(guests);
            if is_last {
                return Ok(all);
            }
        }
    }

    /// The daemon's own figures.
    ///
    /// # Errors
    /// [`Error`].
    pub fn stats(&mut self) -> Result<Stats, Error> {
        self.ask(&Call::Stats {})
    }

    /// The daemon's own figures as OpenMetrics text.
    ///
    /// # Errors
    /// [`Error`].
    pub fn metrics(&mut self) -> Result<String, Error> {
        self.ask(&Call::Metrics {}).map(|Metrics { text }| text)
    }

    /// What a guest may ask, for each of `names` or for all statistics, and why.
    ///
    /// # Errors
    /// [`Refusal::NoSuchGuest`](crate::Refusal::NoSuchGuest),
    /// [`Refusal::NoSuchStatistic`](crate::Refusal::NoSuchStatistic).
    pub fn explain(
        &mut self,
        guest: &str,
        names: Option<Vec<String>>,
    ) -> Result<Explanation, Error> {
        self.ask(&Call::Explain { guest: guest.to_owned(), names })
    }

    /// The reply that a guest would get for `line`.
    ///
    /// # Errors
    /// [`Refusal::NoSuchGuest`](crate::Refusal::NoSuchGuest).
    pub fn preview(&mut self, guest: &str, line: &str) -> Result<String, Error> {
        let call = Call::Preview { guest: guest.to_owned(), line: line.to_owned() };
        self.ask_within(&call, self.deadline + PREVIEW_TIME).map(|Preview { reply }| reply)
    }

    /// The rules in force.
    ///
    /// # Errors
    /// [`Error`].
    pub fn rules(&mut self) -> Result<Rules, Error> {
        self.ask(&Call::Rules {})
    }

    /// Sets a notice, which guests read from now on.
    ///
    /// # Errors
    /// [`Refusal::BadNotice`](crate::Refusal::BadNotice),
    /// [`Refusal::NotPermitted`](crate::Refusal::NotPermitted).
    pub fn set_notice(
        &mut self,
        pattern: &str,
        kind: NoticeKind,
        text: &str,
        at: Option<Timestamp>,
        until: Option<Timestamp>,
    ) -> Result<SetNotice, Error> {
        let (pattern, text) = (pattern.to_owned(), text.to_owned());
        self.ask(&Call::NoticeSet { pattern, kind, text, at, until })
    }

    /// All notices, in the order in which guests read them.
    ///
    /// # Errors
    /// [`Error`].
    pub fn notices(&mut self) -> Result<Vec<Notice>, Error> {
        self.ask(&Call::NoticeList {}).map(|Notices { notices }| notices)
    }

    /// Removes the notices with these numbers, or all of them.
    ///
    /// # Errors
    /// [`Refusal::NoSuchNotice`](crate::Refusal::NoSuchNotice),
    /// [`Refusal::NotPermitted`](crate::Refusal::NotPermitted).
    pub fn clear_notices(&mut self, ids: Option<Vec<u64>>) -> Result<Vec<Notice>, Error> {
        self.ask(&Call::NoticeClear { ids }).map(|Cleared { cleared }| cleared)
    }

    /// The host state that an administrator last set.
    ///
    /// # Errors
    /// [`Error`].
    pub fn host_state(&mut self) -> Result<HostStateReply, Error> {
        self.ask(&Call::HostStateGet {})
    }

    /// Sets the host state, which guests read from now on.
    ///
    /// # Errors
    /// [`Refusal::BadHostState`](crate::Refusal::BadHostState),
    /// [`Refusal::NotPermitted`](crate::Refusal::NotPermitted).
    pub fn set_host_state(
        &mut self,
        state: HostState,
        text: Option<&str>,
    ) -> Result<HostStateReply, Error> {
        self.ask(&Call::HostStateSet { state, text: text.map(str::to_owned) })
    }

    /// The queries of that guest, or of all guests, from now on.
    ///
    /// # Errors
    /// [`Error`].
    pub fn watch(mut self, guest: Option<&str>) -> Result<Watch, Error> {
        self.send(&Call::Watch { guest: guest.map(str::to_owned) }, true)?;
        self.wait_at_most(None)?;
        Ok(Watch { client: self, is_over: false })
    }

    fn ask<R: DeserializeOwned>(&mut self, call: &Call) -> Result<R, Error> {
        self.ask_within(call, self.deadline)
    }

    fn ask_within<R: DeserializeOwned>(
        &mut self,
        call: &Call,
        deadline: Duration,
    ) -> Result<R, Error> {
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

    fn send(&mut self, call: &Call, more: bool) -> Result<(), Error> {
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
    fn next_reply<R: DeserializeOwned>(&mut self) -> Result<Option<(R, bool)>, Error> {
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

    fn receive(&mut self) -> Result<(), Error> {
        let count = match self.stream.read(&mut self.buffer) {
            Ok(0) => return Err(Error::Closed(self.path.clone())),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            Err(error) => return Err(self.failed(error)),
        };
        self.unfinished += count;
        if self.unfinished > REPLY_MAX {
            return Err(Error::Nonsense(format!("a reply of over {REPLY_MAX} bytes")));
        }
        let bytes = self.buffer.get(..count).unwrap_or_default();
        self.protocol.handle_input(bytes).map_err(|error| Error::Nonsense(error.to_string()))
    }

    fn wait_at_most(&self, time: Option<Duration>) -> Result<(), Error> {
        self.stream.set_read_timeout(time).map_err(|error| self.failed(error))
    }

    fn failed(&self, error: io::Error) -> Error {
        failed(&self.path, self.deadline, error)
    }
}

/// Guests' queries, as they happen.
pub struct Watch {
    client: Client,
    is_over: bool,
}

impl Iterator for Watch {
    type Item = Result<Event, Error>;

    /// Waits until a guest asks, without a deadline.
    fn next(&mut self) -> Option<Self::Item> {
        while !self.is_over {
            match self.client.next_reply() {
                Ok(Some((event, continues))) => {
                    self.is_over = !continues;
                    return Some(Ok(event));
                }
                Ok(None) => {
                    if let Err(error) = self.client.receive() {
                        self.is_over = true;
                        return Some(Err(error));
                    }
                }
                Err(error) => {
                    self.is_over = true;
                    return Some(Err(error));
                }
            }
        }
        None
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
