//! The daemon's own metrics for Prometheus over HTTP, if the settings turn that on: accepting
//! clients, and their turns. The metrics themselves are in `metrics`.

mod rendered;

use std::ffi::OsString;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd as _;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use hostinfo_control::Place;
use hostinfo_peer::Unclosed;
use hostinfo_wire::http::{self, Asked, Hosts, REQUEST_MAX, Wanted};
use hostinfo_wire::limits::READ_CHUNK;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::BindToDevice;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

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

/// Connections that may wait to be accepted over TCP, as std has it.
const BACKLOG: i32 = 128;

/// The kernel's own name for the device that loopback addresses are at.
const LOOPBACK: &str = "lo";

/// What follows from an error.
const NOT_SERVED: &str = "the metrics are not served there, and SIGHUP makes hostinfod try again";

/// The clients' name in the log.
const SCRAPERS: &str = "clients that read the metrics";

/// The listening socket, and its clients.
pub(crate) struct Scrape {
    listen: Listen,
    /// The group that may connect to a Unix socket, beside root and the daemon's own user.
    group: String,
    /// For `status`: see [`Self::place`].
    place: Option<Rc<Place>>,
    listener: Option<Listener>,
    /// A socket whose address another program has: once the daemon has confined itself, it can make no other.
    unbound: Option<TcpListener>,
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
    /// by members of `group`. If that fails, the log and `status` say so, and guests are served all the same.
    ///
    /// # Errors
    /// The socket cannot be added to the reactor.
    pub(crate) fn open(
        listen: Listen,
        group: &str,
        before: Option<Inherited>,
        reactor: &Reactor,
    ) -> io::Result<Self> {
        let mut scrape = Self {
            listen,
            group: group.to_owned(),
            place: None,
            listener: None,
            unbound: None,
            scrapers: Table::default(),
            rendered: Rendered::default(),
            unclosed: Unclosed::default(),
        };
        scrape.listen(before, reactor)?;
        Ok(scrape)
    }

    fn listen(&mut self, before: Option<Inherited>, reactor: &Reactor) -> io::Result<()> {
        let (path, opened) = match &self.listen {
            Listen::Off => return Ok(()),
            Listen::Loopback(address) => {
                let opened = loopback(*address, before, &mut self.unbound).map(Socket::Tcp);
                let opened = opened.map_err(|error| format!("{address}: {}", in_words(&error)));
                (address.to_string(), opened)
            }
            Listen::Unix(path) => {
                let opened = UnixSocket::open(&of_group(path, &self.group), before);
                let opened = opened.map(Socket::Unix).map_err(|error| error.to_string());
                (path.display().to_string(), opened)
            }
        };
        let problem = match opened {
            Ok(socket) => {
                let (token, alarm) = (Token::Scrape, Alarm::Scrape);
                self.listener = Some(Listener::new(SCRAPERS, socket, token, alarm, reactor)?);
                None
            }
            Err(why) => {
                let problem = format!("[metrics] listen: {why}; {NOT_SERVED}");
                tracing::error!("{problem}");
                Some(problem)
            }
        };
        self.place = Some(Rc::new(Place { path, problem }));
        Ok(())
    }

    /// Tries again to listen if it does not.
    pub(crate) fn look_for_the_socket(&mut self, reactor: &Reactor) {
        if self.listener.is_none()
            && let Err(error) = self.listen(None, reactor)
        {
            tracing::error!("cannot wait for {SCRAPERS}: {error}");
        }
    }

    /// Where it listens, or why it does not; `None` if it is not to.
    pub(crate) fn place(&self) -> Option<Rc<Place>> {
        self.place.clone()
    }

    /// What another program goes on with of the socket. Its clients ask again.
    pub(crate) fn hand_over<'s>(&'s self, fds: &mut Outgoing<'s>) -> Option<ListenerState> {
        match (&self.listener, &self.unbound) {
            (Some(listener), _) => Some(listener.hand_over(fds)),
            (None, Some(unbound)) => {
                Some(ListenerState { fd: fds.add(unbound.as_fd()), file: None })
            }
            (None, None) => None,
        }
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
        Some(Errno::AFNOSUPPORT) => "the service has no network: run systemctl edit hostinfo, add \
            RestrictAddressFamilies=AF_INET AF_INET6 under [Service], and restart it"
            .to_owned(),
        Some(Errno::PERM) => {
            "hostinfod can make no socket any more: systemctl restart hostinfo".to_owned()
        }
        _ => error.to_string(),
    }
}

/// Listens there, with the socket of the program `before` or the one that was `unbound` the last time. Where another program
/// has the address, the socket is kept to try again.
fn loopback(
    address: SocketAddr,
    before: Option<Inherited>,
    unbound: &mut Option<TcpListener>,
) -> io::Result<TcpListener> {
    let before = before.map(|Inherited { socket, .. }| TcpListener::from(socket));
    let is_bound = |socket: &TcpListener| socket.local_addr().is_ok_and(|local| local == address);
    let is_unbound =
        |socket: &TcpListener| socket.local_addr().is_ok_and(|local| local.port() == 0);
    let before = before.or_else(|| unbound.take());
    let socket = match before.filter(|socket| is_bound(socket) || is_unbound(socket)) {
        Some(socket) => socket,
        None => tcp_socket(address)?,
    };
    let bound = if is_bound(&socket) { Ok(()) } else { rustix::net::bind(&socket, &address) };
    match bound.and_then(|()| rustix::net::listen(&socket, BACKLOG)) {
        Ok(()) => Ok(socket),
        Err(error) => {
            *unbound = Some(socket);
            Err(error.into())
        }
    }
}

/// Without an address yet.
fn tcp_socket(address: SocketAddr) -> Result<TcpListener, Errno> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    // Connections of a daemon that has just ended do not keep the next one from listening.
    sockopt::set_socket_reuseaddr(&socket, true)?;
    // Nobody outside this host reaches it, whatever becomes of it: listen(2) would give a socket without an address all that
    // the host has, and Landlock does not see that. Before Linux 5.7 the kernel permits it to privileged programs alone.
    let _ = setsockopt(&socket, BindToDevice, &OsString::from(LOOPBACK));
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::os::fd::OwnedFd;

    use hostinfo_peer::examples::{Slow, pair};
    use nix::sys::socket::getsockopt;
    use rustix::net::SendFlags;

    fn ask(request: &str) -> Option<String> {
        let answer = answer(request.as_bytes(), |wanted| http::metrics(wanted, "x 1\n# EOF\n"));
        answer.map(|answer| String::from_utf8(answer).unwrap())
    }

    #[test]
    fn whoever_hangs_up_on_all_scrapers_waits_for_no_descriptor_that_nobody_has_read() {
        let (folder, mut reactor) = (tempfile::tempdir().unwrap(), Reactor::new().unwrap());
        let place = Listen::Unix(folder.path().join("s"));
        let mut scrape = Scrape::open(place, "", None, &reactor).unwrap();
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
    fn nobody_outside_the_host_reaches_the_socket_even_while_another_program_has_its_address() {
        let device = |socket: &TcpListener| getsockopt(socket, BindToDevice).unwrap();
        for any_port in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(other) = TcpListener::bind(any_port) else { continue };
            let (address, mut unbound) = (other.local_addr().unwrap(), None);
            loopback(address, None, &mut unbound).unwrap_err();
            assert_eq!(device(unbound.as_ref().unwrap()), LOOPBACK);
            drop(other);
            let served = loopback(address, None, &mut unbound).unwrap();
            assert!(unbound.is_none() && device(&served) == LOOPBACK);
            let _client = std::net::TcpStream::connect(address).unwrap();
            // Which could be disconnected, and listen as well.
            let accepted = OwnedFd::from(served.accept().unwrap().0);
            assert_eq!(device(&accepted.into()), LOOPBACK);
        }
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
