//! The loop of the broker: sleeps until something happens, and gives everybody a turn.

use std::net::TcpListener;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::rc::Rc;
use std::time::Duration;

use hostinfo_peer::{PeerSocket, Unclosed};
use hostinfo_wire::Reply;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::exit::{Failure, complain};
use crate::not_yet::NotYet;
use crate::reply::Line;
use crate::serve::client::{Client, Source};
use crate::serve::clock;
use crate::serve::connection::Connection;
use crate::serve::limits::{
    CLIENTS_MAX, CLOSING_CHECK, IDLE, LIST_MAX_AGE, SCRAPERS_MAX, UNCLOSED_MAX, UNREAD_MAX,
};
use crate::serve::schedule::Schedule;
use crate::serve::scraper::Scraper;
use crate::serve::snapshot::Snapshot;
use crate::serve::upstream::{Answered, HostReply, Upstream};

/// The state of the broker.
pub(crate) struct Broker {
    upstream: Upstream,
    /// The connection to the host while nothing is asked over it, to notice its end.
    connection: Option<OwnedFd>,
    socket: UnixListener,
    http: Option<TcpListener>,
    clients: Vec<Client>,
    scrapers: Vec<Scraper>,
    schedule: Schedule,
    snapshot: Option<Snapshot>,
    /// What this guest may ask for, and when the host was asked for that.
    list: Rc<Vec<Line>>,
    list_at: Option<Duration>,
    /// When the host was last asked and answered, and why it has not since: empty if it did, or is not known yet.
    answered: Option<Duration>,
    cause: String,
    /// The last message about the host in the log.
    logged: String,
    reply: Reply,
    /// What clients have left to be closed.
    unclosed: Unclosed,
}

/// Something that happened at a descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Answer,
    /// The connection to the host has ended.
    Lost,
    Client,
    Scrape,
    /// Input has arrived.
    Read(usize),
    ReadScraper(usize),
    /// The other end is closed.
    Gone(usize),
    GoneScraper(usize),
}

impl Broker {
    pub(crate) fn new(upstream: Upstream, socket: UnixListener, http: Option<TcpListener>) -> Self {
        Self {
            upstream,
            connection: None,
            socket,
            http,
            clients: Vec::new(),
            scrapers: Vec::new(),
            schedule: Schedule::new(),
            snapshot: None,
            list: Rc::default(),
            list_at: None,
            answered: None,
            cause: String::new(),
            logged: String::new(),
            reply: Reply::new(),
            unclosed: Unclosed::default(),
        }
    }

    /// Serves as long as the program runs. The host is asked at once, so that it begins to work on
    /// its verdicts, and after that only when a client asks.
    ///
    /// # Errors
    /// The system does not let it wait for events.
    pub(crate) fn run(mut self) -> Result<(), Failure> {
        self.ask(clock::now());
        loop {
            let now = clock::now();
            while let Some(answered) = self.upstream.take() {
                self.take_answer(answered, now);
            }
            self.turns(now);
            if self.is_wanted() && self.schedule.can_ask(now) {
                self.ask(now);
            }
            for event in self.wait(now)? {
                self.handle(event);
            }
            self.clients.retain(|client| !client.is_done());
        }
    }

    fn ask(&mut self, now: Duration) {
        let is_old = self.list_at.is_none_or(|at| now.saturating_sub(at) >= LIST_MAX_AGE);
        self.connection = None;
        self.upstream.ask(is_old, self.schedule.is_lost());
        self.schedule.ask();
    }

    /// Processes the result of asking the host.
    fn take_answer(&mut self, answered: Answered, now: Duration) {
        let Answered { asked, result, connection } = answered;
        self.connection = connection;
        match result {
            Ok(HostReply { values, list, way }) => {
                if let Some(list) = list {
                    self.list = Rc::new(list);
                    self.list_at = Some(asked);
                }
                let snapshot = Snapshot::new(asked, &values, Rc::clone(&self.list));
                if !snapshot.is_all_listed() {
                    // The rules have changed, or a disk was plugged in.
                    self.list_at = None;
                }
                self.schedule.answered(now, snapshot.interval());
                self.snapshot = Some(snapshot);
                self.answered = Some(asked);
                self.cause.clear();
                self.log(format!("the host answers on {way}"));
            }
            Err(failure) => match failure.too_soon() {
                Some(wait) => self.schedule.too_soon(wait, now),
                None => {
                    self.schedule.failed(now);
                    self.cause = failure.cause(self.answered.is_some());
                    self.log(failure.to_string());
                }
            },
        }
    }

    /// Reports news on stderr.
    fn log(&mut self, what: String) {
        if self.logged != what {
            complain(&what);
            self.logged = what;
        }
    }

    /// Whether anybody is waiting for the host.
    fn is_wanted(&self) -> bool {
        self.clients.iter().any(|client| client.waits_until().is_some())
            || self.scrapers.iter().any(Scraper::is_waiting)
    }

    fn turns(&mut self, now: Duration) {
        let fresh = self.snapshot.as_ref().filter(|_| self.schedule.is_fresh(now));
        let not_yet = match (self.schedule.not_yet(now), self.answered) {
            (NotYet::Silent, Some(answered)) => {
                NotYet::gone(now.saturating_sub(answered), &self.cause)
            }
            (not_yet, _) => not_yet,
        };
        let source = Source { fresh, not_yet: &not_yet };
        let reply = &mut self.reply;
        self.clients.retain_mut(|client| client.turn(source, reply, now).is_ok());
        self.scrapers.retain_mut(|scraper| scraper.turn(source, reply, now).is_ok());
    }

    /// Sleeps until something happens, or the next deadline.
    fn wait(&self, now: Duration) -> Result<Vec<Event>, Failure> {
        let unread: usize = self.clients.iter().map(|client| client.connection.unsent()).sum();
        let may_read = unread < UNREAD_MAX;
        let for_clients = if self.is_clogged() { PollFlags::empty() } else { PollFlags::IN };
        let mut watched: Vec<(BorrowedFd<'_>, PollFlags, Event)> = vec![
            (self.upstream.ready.as_fd(), PollFlags::IN, Event::Answer),
            (self.socket.as_fd(), for_clients, Event::Client),
        ];
        let http = self.http.as_ref().map(|http| (http.as_fd(), PollFlags::IN, Event::Scrape));
        watched.extend(http);
        // Of a stream of vsock(7), only the host's half may be closed.
        let connection = self.connection.as_ref();
        watched.extend(connection.map(|fd| (fd.as_fd(), PollFlags::RDHUP, Event::Lost)));
        for (number, client) in self.clients.iter().enumerate() {
            let events = match client.connection.unsent() {
                0 if may_read && client.wants_to_read(now) => PollFlags::IN,
                0 => PollFlags::empty(),
                _ => PollFlags::OUT,
            };
            watched.push((client.connection.as_fd(), events, Event::Read(number)));
        }
        for (number, scraper) in self.scrapers.iter().enumerate() {
            let events = match scraper.connection.unsent() {
                0 if scraper.is_reading() => PollFlags::IN,
                0 => PollFlags::empty(),
                _ => PollFlags::OUT,
            };
            watched.push((scraper.connection.as_fd(), events, Event::ReadScraper(number)));
        }
        let mut polled: Vec<PollFd<'_>> =
            watched.iter().map(|(fd, events, _)| PollFd::from_borrowed_fd(*fd, *events)).collect();
        let timeout = self.alarm(now).map(|at| at.saturating_sub(now));
        let timeout = timeout.and_then(|time| Timespec::try_from(time).ok());
        match poll(&mut polled, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(Failure::Output(error.into())),
        }
        let happened = polled.iter().zip(&watched).filter_map(|(polled, (_, _, event))| {
            let is_gone = polled.revents().intersects(PollFlags::HUP | PollFlags::ERR);
            match event {
                Event::Lost => (!polled.revents().is_empty()).then_some(Event::Lost),
                Event::Read(number) if is_gone => Some(Event::Gone(*number)),
                Event::ReadScraper(number) if is_gone => Some(Event::GoneScraper(*number)),
                event => polled.revents().intersects(PollFlags::IN).then_some(*event),
            }
        });
        let mut happened: Vec<Event> = happened.collect();
        // Remove closed clients from the back, so that the indices of the others stay valid.
        happened.reverse();
        Ok(happened)
    }

    /// The next deadline, if nothing happens before.
    fn alarm(&self, now: Duration) -> Option<Duration> {
        let of_clients = self.clients.iter().filter_map(|client| client.alarm(now));
        let of_scrapers = self.scrapers.iter().map(Scraper::deadline);
        let of_host = self.is_wanted().then(|| self.schedule.next()).filter(|next| *next > now);
        let of_closing = self.is_clogged().then(|| now + CLOSING_CHECK);
        of_clients.chain(of_scrapers).chain(of_host).chain(of_closing).min()
    }

    /// Whether clients have left so much to be closed that no other is let in.
    fn is_clogged(&self) -> bool {
        self.unclosed.count() >= UNCLOSED_MAX
    }

    fn handle(&mut self, event: Event) {
        let now = clock::now();
        match event {
            Event::Answer => {}
            Event::Lost => {
                self.connection = None;
                self.list_at = None;
                self.schedule.lost(now);
            }
            Event::Client => {
                if let Some(connection) = accepted(self.socket.accept(), &self.unclosed) {
                    self.let_in(connection, now);
                }
            }
            Event::Scrape => {
                let unclosed = &self.unclosed;
                let accepted =
                    self.http.as_ref().and_then(|http| accepted(http.accept(), unclosed));
                if let Some(connection) = accepted.filter(|_| self.scrapers.len() < SCRAPERS_MAX) {
                    self.scrapers.push(Scraper::new(connection, now));
                }
            }
            Event::Read(number) => {
                if self.clients.get_mut(number).is_some_and(|client| client.read(now).is_err()) {
                    self.clients.remove(number);
                }
            }
            Event::ReadScraper(number) => {
                let scraper = self.scrapers.get_mut(number);
                if scraper.is_some_and(|scraper| scraper.read(now).is_err()) {
                    self.scrapers.remove(number);
                }
            }
            Event::Gone(number) if number < self.clients.len() => {
                self.clients.remove(number);
            }
            Event::GoneScraper(number) if number < self.scrapers.len() => {
                self.scrapers.remove(number);
            }
            Event::Gone(_) | Event::GoneScraper(_) => {}
        }
    }

    /// Adds a client. If there is no room, it replaces a client that has not asked anything for a
    /// long time.
    fn let_in(&mut self, connection: Connection, now: Duration) {
        if self.clients.len() >= CLIENTS_MAX {
            let idle = self.clients.iter().position(|client| {
                client.waits_until().is_none() && now.saturating_sub(client.asked) >= IDLE
            });
            match idle {
                Some(number) => drop(self.clients.remove(number)),
                None => return,
            }
        }
        self.clients.push(Client::new(connection, now));
    }
}

/// The accepted connection.
fn accepted<A>(
    accepted: std::io::Result<(impl Into<OwnedFd>, A)>,
    unclosed: &Unclosed,
) -> Option<Connection> {
    let (stream, _) = match accepted {
        Ok(accepted) => accepted,
        Err(error) => {
            // Out of descriptors or memory: the connection is still pending.
            if error.kind() != std::io::ErrorKind::WouldBlock {
                std::thread::sleep(Duration::from_millis(50));
            }
            return None;
        }
    };
    let stream = stream.into();
    rustix::io::ioctl_fionbio(&stream, true).ok()?;
    Some(Connection::new(PeerSocket::new(stream, unclosed.clone())))
}
