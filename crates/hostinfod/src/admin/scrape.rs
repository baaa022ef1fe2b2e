//! The daemon's own metrics for Prometheus over HTTP, if the settings turn that on: accepting
//! clients, and their turns. The metrics themselves are in `metrics`.

mod rendered;

use std::io;
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use hostinfo_peer::Unclosed;
use hostinfo_wire::http::{self, Asked, Hosts, REQUEST_MAX, Wanted};
use hostinfo_wire::limits::READ_CHUNK;
use rustix::io::Errno;

use super::daemon::Daemon;
use super::listener::{Listener, Socket};
use super::unix_socket::{Inherited, UnixSocket};
use crate::handover::ListenerState;
use crate::reactor::alarms::Alarm;
use crate::reactor::id::{ScraperId, Table};
use crate::reactor::poll::Interest;
use crate::reactor::token::Token;
use crate::reactor::{Ctx, Reactor};
use crate::settings;
use crate::settings::listen::Listen;
use crate::stream::{Closed, Stream};
use crate::system::descriptors::Outgoing;

use rendered::Rendered;

/// Clients that are answered at the same time: one or two Prometheus servers and a person. With
/// [`REQUEST_MAX`] and about 20 KiB of metrics each, they take 200 KiB.
const SCRAPERS_MAX: usize = 8;

/// Longest time of a connection. Prometheus needs 10 ms, and gives up after 10 s.
const DEADLINE: Duration = Duration::from_secs(5);

/// What follows from an error: SIGHUP does not make the daemon try again.
const NOT_SERVED: &str = "the metrics are not served there until hostinfod is restarted";

/// The clients' name in the log.
const SCRAPERS: &str = "clients that read the metrics";

/// The listening socket, and its clients.
pub(crate) struct Scrape {
    listener: Option<Listener>,
    /// The connected clients.
    scrapers: Table<ScraperId, Scraper>,
    rendered: Rendered,
    /// What clients have left to be closed.
    unclosed: Unclosed,
}

/// A connected client.
struct Scraper {
    stream: Stream,
    /// The request as far as it has arrived, at most [`REQUEST_MAX`] bytes.
    request: Vec<u8>,
    since: Instant,
    /// What the reactor waits for on the connection.
    interest: Interest,
}

impl Scrape {
    /// Listens where the settings say, with the socket of the program `before`, if any. A Unix socket can also be used
    /// by members of `group`. If that fails, the log says so, and guests are served all the same.
    ///
    /// # Errors
    /// The socket cannot be added to the reactor.
    pub(crate) fn open(
        listen: &Listen,
        group: &str,
        before: Option<Inherited>,
        reactor: &Reactor,
    ) -> io::Result<Self> {
        let socket = match listen {
            Listen::Off => None,
            Listen::Loopback(address) => match loopback(*address, before) {
                Ok(listener) => Some(Socket::Tcp(listener)),
                Err(error) => {
                    let why = in_words(&error);
                    tracing::error!("[metrics] listen: {address}: {why}; {NOT_SERVED}");
                    None
                }
            },
            Listen::Unix(path) => match UnixSocket::open(&of_group(path, group), before) {
                Ok(socket) => Some(Socket::Unix(socket)),
                Err(error) => {
                    tracing::error!("[metrics] listen: {error}; {NOT_SERVED}");
                    None
                }
            },
        };
        let listener = socket
            .map(|socket| Listener::new(SCRAPERS, socket, Token::Scrape, Alarm::Scrape, reactor));
        let (scrapers, rendered) = (Table::default(), Rendered::default());
        let unclosed = Unclosed::default();
        Ok(Self { listener: listener.transpose()?, scrapers, rendered, unclosed })
    }

    /// What another program goes on with of the socket. Its clients ask again.
    pub(crate) fn hand_over<'s>(&'s self, fds: &mut Outgoing<'s>) -> Option<ListenerState> {
        self.listener.as_ref().map(|listener| listener.hand_over(fds))
    }

    /// A client connects. If there are too many, the oldest one is closed, so that a client that
    /// sends its request at once is answered whatever the others do.
    pub(crate) fn accept(&mut self, ctx: &mut Ctx<'_>) {
        let fd = self.listener.as_mut().and_then(|listener| listener.accept(&self.unclosed, ctx));
        let Some(stream) = fd.map(Stream::new) else { return };
        let oldest = self.scrapers.iter().min_by_key(|(_, scraper)| scraper.since);
        if self.scrapers.len() >= SCRAPERS_MAX
            && let Some((oldest, _)) = oldest
        {
            self.hang_up(oldest, ctx);
        }
        let (request, since, interest) = (Vec::new(), ctx.now, Interest::Read);
        let number = self.scrapers.insert(Scraper { stream, request, since, interest });
        ctx.reactor.set_alarm(Alarm::Scraper(number), Some(ctx.now + DEADLINE));
        let Some(scraper) = self.scrapers.get(number) else { return };
        if let Err(error) = ctx.reactor.add(&scraper.stream, Token::Scraper(number), interest) {
            tracing::error!("cannot wait for {SCRAPERS}: {error}");
            self.hang_up(number, ctx);
        }
    }

    /// Accepts clients again after a pause.
    pub(crate) fn resume(&self, ctx: &Ctx<'_>) {
        self.listener.iter().for_each(|listener| listener.resume(ctx));
    }

    /// A connection is ready.
    pub(crate) fn on_ready(
        &mut self,
        number: ScraperId,
        daemon: &mut Daemon<'_>,
        ctx: &mut Ctx<'_>,
    ) {
        let Self { scrapers, rendered, .. } = self;
        let Some(scraper) = scrapers.get_mut(number) else { return };
        let make = || daemon.metrics().to_string();
        match scraper.turn(|wanted| rendered.answer(wanted, ctx.now, make), ctx.now) {
            Ok(Some(interest)) => scraper.wait_for(number, interest, ctx.reactor),
            Ok(None) | Err(_) => self.hang_up(number, ctx),
        }
    }

    /// Closes all connections.
    pub(crate) fn hang_up_on_all(&mut self, ctx: &mut Ctx<'_>) {
        self.scrapers.ids(|_| true).into_iter().for_each(|number| self.hang_up(number, ctx));
    }

    /// Closes a connection that is finished or has taken too long.
    pub(crate) fn hang_up(&mut self, number: ScraperId, ctx: &mut Ctx<'_>) {
        ctx.reactor.set_alarm(Alarm::Scraper(number), None);
        if let (Some(scraper), Some(listener)) = (self.scrapers.remove(number), &mut self.listener)
        {
            listener.hang_up(scraper.stream, &self.unclosed, ctx.now);
        }
    }
}

impl Scraper {
    /// What to wait for next on the connection; `None` if it is finished.
    fn turn(
        &mut self,
        metrics: impl FnOnce(Wanted) -> Vec<u8>,
        now: Instant,
    ) -> Result<Option<Interest>, Closed> {
        if self.interest == Interest::Write {
            return Ok(self.stream.flush()?.map(|_| Interest::Write));
        }
        let mut buffer = [0; READ_CHUNK];
        let room = REQUEST_MAX.saturating_sub(self.request.len());
        let read = self.stream.read(buffer.get_mut(..room).unwrap_or_default())?;
        self.request.extend_from_slice(read);
        match answer(&self.request, metrics) {
            None => Ok(Some(Interest::Read)),
            Some(answer) => Ok(self.stream.send(&answer, now)?.map(|_| Interest::Write)),
        }
    }

    fn wait_for(&mut self, number: ScraperId, interest: Interest, reactor: &Reactor) {
        if std::mem::replace(&mut self.interest, interest) != interest
            && let Err(error) = reactor.modify(&self.stream, Token::Scraper(number), interest)
        {
            tracing::error!("cannot wait for {SCRAPERS}: {error}");
        }
    }
}

/// The complete answer to the input so far, that of `metrics` if they were asked for. `None` if the request is not
/// complete.
fn answer(request: &[u8], metrics: impl FnOnce(Wanted) -> Vec<u8>) -> Option<Vec<u8>> {
    match http::parse(request, Hosts::Any) {
        Asked::NotYet => None,
        Asked::Malformed => Some(http::malformed("this is not an HTTP/1.1 request")),
        Asked::Metrics(wanted) => Some(metrics(wanted)),
        Asked::Answered(answer) => Some(answer),
    }
}

fn of_group(socket: &Path, group: &str) -> settings::Control {
    settings::Control { socket: socket.to_owned(), group: group.to_owned() }
}

/// Why listening failed, with the remedy if the service's own sandbox is the cause.
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

fn loopback(address: std::net::SocketAddr, before: Option<Inherited>) -> io::Result<TcpListener> {
    let before = before.map(|Inherited { socket, .. }| TcpListener::from(socket));
    if let Some(goes_on) = before
        && goes_on.local_addr().is_ok_and(|local| local == address)
    {
        return Ok(goes_on);
    }
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};

    use hostinfo_peer::examples::{Slow, pair};
    use rustix::net::SendFlags;

    fn ask(request: &str) -> Option<String> {
        let answer = answer(request.as_bytes(), |wanted| http::metrics(wanted, "x 1\n# EOF\n"));
        answer.map(|answer| String::from_utf8(answer).unwrap())
    }

    #[test]
    fn whoever_hangs_up_on_all_scrapers_waits_for_no_descriptor_that_nobody_has_read() {
        let (folder, mut reactor) = (tempfile::tempdir().unwrap(), Reactor::new().unwrap());
        let place = Listen::Unix(folder.path().join("s"));
        let mut scrape = Scrape::open(&place, "", None, &reactor).unwrap();
        let begun = Instant::now();
        let connect = |_| {
            let (sender, socket) = pair(&scrape.unclosed).unwrap();
            let (stream, request, interest) = (Stream::new(socket), Vec::new(), Interest::Read);
            scrape.scrapers.insert(Scraper { stream, request, since: begun, interest });
            sender
        };
        let [idle, mut half, laden] = [(); 3].map(connect);
        half.write_all(b"GET /metrics HTTP").unwrap();
        let far_end = Slow::new().unwrap().send(&laden, SendFlags::empty()).unwrap();
        scrape.hang_up_on_all(&mut reactor.now());
        assert!(begun.elapsed() < 9 * DEADLINE && scrape.scrapers.iter().next().is_none());
        assert_eq!(scrape.unclosed.count(), 1);
        for mut scraper in [idle, half] {
            assert!(matches!(scraper.read(&mut [0; 1]), Ok(0)), "it is not hung up on");
        }
        drop(far_end);
    }

    #[test]
    fn a_scrape_gets_what_it_accepts_under_whatever_name_it_comes() {
        let asking = |accept| {
            format!("GET /metrics HTTP/1.1\r\nHost: host.example\r\nAccept: {accept}\r\n\r\n")
        };
        let by_curl = ask(&asking("*/*")).unwrap();
        assert!(
            by_curl.contains("text/plain; version=0.0.4") && by_curl.ends_with("\r\n\r\nx 1\n")
        );
        assert_eq!(
            ask(&asking("application/openmetrics-text")).unwrap(),
            "HTTP/1.1 200 OK\r\nContent-Type: application/openmetrics-text; version=1.0.0; \
             charset=utf-8\r\nContent-Length: 10\r\nCache-Control: no-store\r\n\
             Connection: close\r\n\r\nx 1\n# EOF\n"
        );
        assert_eq!(ask("GET /metrics HTTP/1.1\r\n"), None);
        assert!(ask("\0").unwrap().ends_with("\r\n\r\nthis is not an HTTP/1.1 request\n"));
    }
}
