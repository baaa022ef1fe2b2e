//! A client: a method for each call. `connection` sends it and waits for the reply.

mod connection;

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use serde::de::DeserializeOwned;

use crate::limits::{PAGES_MAX, PREVIEW_TIME, UPGRADE_TIME};
use crate::{
    Call, Cleared, Error, Event, Explanation, Guest, HostState, HostStateReply, Metrics, Notice,
    NoticeKind, Notices, Page, Preview, Rules, SetNotice, Stats, Status, Upgraded,
};
use connection::Connection;

/// A connection to the daemon.
pub struct Client {
    connection: Connection,
}

impl Client {
    /// Connects to the daemon at `path`. Each of its replies may take up to `deadline`.
    ///
    /// # Errors
    /// [`Error`], if no daemon is there or the user may not ask it.
    pub fn connect(path: &Path, deadline: Duration) -> Result<Self, Error> {
        Ok(Self { connection: Connection::open(path, deadline)? })
    }

    /// The process that listens at the socket, by what the kernel says: SO_PEERCRED, unix(7). What the daemon says of itself
    /// can be false where somebody has taken it over. `None`: it is in no PID namespace that this process sees.
    pub fn process(&self) -> Option<u32> {
        self.connection.process()
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
        for _ in 0..PAGES_MAX {
            let after = all.last().map(|guest| guest.guest.clone());
            let Page { guests, complete } = self.ask(&Call::List { after })?;
            let is_last = complete || guests.is_empty();
            all.extend(guests);
            if is_last {
                return Ok(all);
            }
        }
        Err(Error::Nonsense(format!("a list of over {PAGES_MAX} pages")))
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
        self.connection.ask(&call, PREVIEW_TIME).map(|Preview { reply }| reply)
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

    /// Has the daemon execute its program anew. Its reply is the last one over this connection.
    ///
    /// # Errors
    /// [`Refusal::Failed`](crate::Refusal::Failed): nothing has changed.
    /// [`Refusal::NotPermitted`](crate::Refusal::NotPermitted).
    /// [`Refusal::MethodNotFound`](crate::Refusal::MethodNotFound): it is a release that cannot.
    pub fn upgrade(&mut self) -> Result<Upgraded, Error> {
        self.connection.ask(&Call::Upgrade {}, UPGRADE_TIME)
    }

    /// The lines of that guest, or of all guests, and the replies to them, from now on.
    ///
    /// # Errors
    /// [`Error`].
    pub fn watch(self, guest: Option<&str>) -> Result<Watch, Error> {
        let mut connection = self.connection;
        connection.send(&Call::Watch { guest: guest.map(str::to_owned) }, true)?;
        connection.wait_at_most(None)?;
        Ok(Watch { connection, is_over: false })
    }

    fn ask<R: DeserializeOwned>(&mut self, call: &Call) -> Result<R, Error> {
        self.connection.ask(call, Duration::ZERO)
    }
}

/// Guests' lines and the replies to them, as they happen.
pub struct Watch {
    connection: Connection,
    is_over: bool,
}

impl Iterator for Watch {
    type Item = Result<Event, Error>;

    /// Waits until a guest gets a reply, without a deadline.
    fn next(&mut self) -> Option<Self::Item> {
        while !self.is_over {
            match self.connection.next_reply() {
                Ok(Some((event, continues))) => {
                    self.is_over = !continues;
                    return Some(Ok(event));
                }
                Ok(None) => {
                    if let Err(error) = self.connection.receive() {
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
