//! The daemon's own metrics for Prometheus, over HTTP, where the settings want it: where it asks,
//! and who does. What is asked and answered is in `http`, the metrics are `metrics`.

pub(crate) mod http;

use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::Instant;

use rustix::io::Errno;

use crate::control::door::Door;
use crate::reactor::id::{ScraperId, Table};
use crate::reactor::poll::Interest;
use crate::settings;
use crate::settings::listen::Listen;
use crate::stream::Stream;

/// Where Prometheus asks, and who does.
pub(crate) struct Scrape {
    place: Option<Place>,
    /// Who has connected.
    pub(crate) scrapers: Table<ScraperId, Scraper>,
}

/// What is listened at.
enum Place {
    Loopback(TcpListener),
    Unix(Door),
}

/// Who has connected.
pub(crate) struct Scraper {
    /// Its connection.
    pub(crate) stream: Stream,
    /// What has come of the request, at most [`REQUEST_MAX`](http::REQUEST_MAX).
    pub(crate) request: Vec<u8>,
    since: Instant,
    /// What the loop waits for on it.
    pub(crate) interest: Interest,
}

impl Scraper {
    /// Somebody who has said nothing yet.
    pub(crate) fn new(stream: Stream, since: Instant) -> Self {
        Self { stream, request: Vec::new(), since, interest: Interest::Read }
    }
}

impl Scrape {
    /// Listens where the settings say; a socket is also for the members of `group`. Guests are served
    /// also where that fails; the log says so.
    pub(crate) fn open(listen: &Listen, group: &str) -> Self {
        let place = match listen {
            Listen::Off => None,
            Listen::Loopback(address) => match loopback(*address) {
                Ok(listener) => Some(Place::Loopback(listener)),
                Err(error) => {
                    let why = in_words(&error);
                    tracing::error!("[metrics] listen: {address}: {why}; nobody is answered there");
                    None
                }
            },
            Listen::Unix(path) => match Door::open(&of_group(path, group)) {
                Ok(door) => Some(Place::Unix(door)),
                Err(error) => {
                    tracing::error!("[metrics] listen: {error}; nobody is answered there");
                    None
                }
            },
        };
        Self { place, scrapers: Table::default() }
    }

    /// What tells that somebody has come.
    pub(crate) fn place(&self) -> Option<BorrowedFd<'_>> {
        self.place.as_ref().map(|place| match place {
            Place::Loopback(listener) => listener.as_fd(),
            Place::Unix(door) => door.as_fd(),
        })
    }

    /// Who has been there for longest.
    pub(crate) fn oldest(&self) -> Option<ScraperId> {
        let oldest = self.scrapers.iter().min_by_key(|(_, scraper)| scraper.since);
        oldest.map(|(number, _)| number)
    }
}

fn of_group(socket: &Path, group: &str) -> settings::Control {
    settings::Control { socket: socket.to_owned(), group: group.to_owned() }
}

/// Why nobody can be listened to, with the remedy where it is the service's own sandbox.
fn in_words(error: &io::Error) -> String {
    match Errno::from_io_error(error) {
        Some(Errno::AFNOSUPPORT) => {
            "the service has no network: run systemctl edit hostinfo, and add \
            RestrictAddressFamilies=AF_INET AF_INET6 under [Service]"
                .to_owned()
        }
        _ => error.to_string(),
    }
}

fn loopback(address: std::net::SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}
