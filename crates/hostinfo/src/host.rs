//! The host: asks it, again if it hangs up, and waits if it is too soon. How it is found is in `connection`.

mod connection;

use std::time::{Duration, Instant};

use hostinfo_wire::Code;
use hostinfo_wire::limits::LINE_MAX;
use hostinfo_wire::reply::parse_retry_after;

use crate::args::Options;
use crate::exit::Failure;
use crate::not_yet::NotYet;
use crate::progress;
use crate::question::Question;
use crate::reply::{self, Line};
use crate::system::{is_socket, usual_ways, ways_without_broker};
use crate::verdict;
use crate::way::Way;
use connection::{Connection, find};

/// How often one request is sent again after a wait. Programs in one guest share its interval and
/// take turns, so the first wait may not be the last.
const WAITS_MAX: u32 = 32;

/// How often to wait for a verdict. Once is not always enough: the host says whole seconds, and starts over with a new
/// session.
const VERDICT_WAITS_MAX: u32 = 4;

/// How many of the host's longest wait a patient user waits in all: it has verdicts after one, and after another if
/// it started over.
const HOST_WAITS: u32 = 2;

/// How long a patient user waits at least: twice the time that a host needs for a verdict.
const PATIENCE_LEAST: Duration = Duration::from_secs(10);

/// The pause before a way is opened again on which the host hung up; it doubles up to the longest. A
/// daemon or a broker that is restarted is back within a second.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_millis(400);

/// The host of this guest, connected to at the first question.
pub(crate) struct Host<'a> {
    options: &'a Options,
    connection: Option<Connection>,
    /// Whether others are kept from the port as long as it is in use, and the broker is not asked.
    is_held: bool,
    /// The time that must pass between two queries of this guest, once the host has reported it.
    interval: Option<Duration>,
    /// Whether the next long wait is to be announced where no terminal shows it.
    is_announced: bool,
}

impl<'a> Host<'a> {
    pub(crate) fn new(options: &'a Options) -> Self {
        Self { options, connection: None, is_held: false, interval: None, is_announced: false }
    }

    /// The same for a broker, which keeps the port to itself.
    pub(crate) fn held(options: &'a Options) -> Self {
        Self { is_held: true, ..Self::new(options) }
    }

    /// Whether there is a connection, though it may be an old one.
    pub(crate) fn is_connected(&self) -> bool {
        self.connection.is_some()
    }

    /// A copy of the connection's descriptor, if there is one: see [`Port::descriptor`](crate::port::Port::descriptor).
    #[cfg(unix)]
    pub(crate) fn descriptor(&self) -> Option<std::os::fd::OwnedFd> {
        self.connection.as_ref()?.link.descriptor()
    }

    /// The time that must pass between two queries of this guest, if the host has reported it.
    pub(crate) fn interval(&self) -> Option<Duration> {
        self.interval
    }

    /// Asks the host. The reply has at least one line, and neither 400 nor 429.
    ///
    /// # Errors
    /// [`Failure`]: there is no such reply.
    pub(crate) fn ask(&mut self, question: &Question) -> Result<Vec<Line>, Failure> {
        if question.to_string().len() > LINE_MAX {
            return Err(Failure::Usage(format!(
                "too many names for one request of {LINE_MAX} bytes: ask for a group"
            )));
        }
        let mut waits = 0;
        loop {
            let (lines, was_disturbed) = self.ask_on_any_connection(question)?;
            let (wait, failure) = match (lines.as_slice(), NotYet::of(&lines)) {
                ([Line { code: Code::TooSoon, text }, ..], _) => {
                    let wait = parse_retry_after(text).ok_or(Failure::Unexpected("when"))?;
                    (wait, Failure::TooSoon(wait))
                }
                (_, Some(NotYet::TooSoon(wait))) => (wait, Failure::FirstAnswer(wait)),
                (_, Some(silent @ (NotYet::Silent | NotYet::Gone(_)))) => {
                    return Err(silent_behind(self.way()?, &silent));
                }
                (_, None) => {
                    self.interval = lines.iter().find_map(interval).or(self.interval);
                    return Ok(lines);
                }
            };
            // An answer that was lost on its way counts for the host's interval.
            let is_own_fault = was_disturbed && wait <= self.options.timeout;
            if waits == WAITS_MAX || !(self.options.wait || is_own_fault) {
                return Err(failure);
            }
            waits += 1;
            self.sit_out(wait, "too soon to ask: waiting");
        }
    }

    /// Asks, and if the host hangs up, asks again on a new connection until the timeout is over. Also
    /// returns whether an answer may have been lost on its way.
    fn ask_on_any_connection(&mut self, question: &Question) -> Result<(Vec<Line>, bool), Failure> {
        let deadline = Instant::now() + self.options.timeout;
        let (mut time, mut has_hung_up) = (self.options.timeout, false);
        loop {
            let connection = self.connect()?;
            let failure = match connection.link.ask(question, time) {
                Ok(lines) => return Ok((lines, has_hung_up || connection.link.was_disturbed())),
                Err(why) if why.is_hang_up() => connection.failed(why),
                Err(why) => return Err(connection.failed(why)),
            };
            has_hung_up = true;
            time = self.reconnect(deadline, failure)?;
        }
    }

    /// Connects again until the deadline, and returns the time left.
    ///
    /// # Errors
    /// The failure that ended the last connection if no host is there, or what else is wrong now.
    fn reconnect(&mut self, deadline: Instant, before: Failure) -> Result<Duration, Failure> {
        let (mut failure, mut pause) = (before, FIRST_PAUSE);
        let left = || deadline.saturating_duration_since(Instant::now());
        self.let_go();
        while left() > pause {
            std::thread::sleep(pause);
            pause = (2 * pause).min(LONGEST_PAUSE);
            match self.find(left()) {
                Ok(connection) => {
                    self.connection = Some(connection);
                    return Ok(left());
                }
                Err(Failure::NoHost { .. } | Failure::NoDevice(_)) => {}
                Err(other) => failure = other,
            }
        }
        Err(failure)
    }

    /// Asks, and asks again if the host has only begun to work on a verdict, unless the total
    /// wait exceeds `patience`; `None` means as long as the host says, within bounds. Returns the newest reply.
    ///
    /// # Errors
    /// [`Failure`]: there is no reply at all.
    pub(crate) fn ask_for_verdicts(
        &mut self,
        question: &Question,
        patience: Option<Duration>,
    ) -> Result<Vec<Line>, Failure> {
        let (mut waited, mut longest) = (Duration::ZERO, Duration::ZERO);
        let mut take = |wait: Duration| {
            waited = waited.saturating_add(wait);
            longest = longest.max(wait);
            let patient = || PATIENCE_LEAST.max(longest.saturating_mul(HOST_WAITS));
            waited <= patience.unwrap_or_else(patient)
        };
        let (mut newest, mut failure) = (None, None);
        for waits in 0..=VERDICT_WAITS_MAX {
            let wait = match self.ask(question) {
                Ok(lines) => {
                    let wait = verdict::again(&lines);
                    newest = Some(lines);
                    wait
                }
                Err(other) => {
                    let wait = other.too_soon();
                    if wait.is_none() {
                        return newest.ok_or(other);
                    }
                    failure = Some(other);
                    wait
                }
            };
            match wait {
                Some(wait) if waits < VERDICT_WAITS_MAX && take(wait) => {
                    self.sit_out(wait, "waiting for the host's verdict");
                }
                _ => break,
            }
        }
        newest.ok_or_else(|| failure.unwrap_or(Failure::Unexpected("verdict")))
    }

    /// How long the user wants to wait for a silent host.
    pub(crate) fn timeout(&self) -> Duration {
        self.options.timeout
    }

    /// Whether the user wants to wait for as long as the host says.
    pub(crate) fn is_patient(&self) -> bool {
        self.options.wait
    }

    /// Whether somebody waits for the answer to read it: it neither goes to a file nor comes again and again.
    pub(crate) fn is_awaited(&self) -> bool {
        self.options.every.is_none() && self.options.output.is_none()
    }

    /// Releases the port until the next request, as others may want to use it.
    pub(crate) fn let_go(&mut self) {
        self.connection = None;
    }

    /// Has the next long wait announced where no terminal shows it.
    pub(crate) fn announce_wait(&mut self) {
        self.is_announced = true;
    }

    /// Waits, with the port released.
    pub(crate) fn sit_out(&mut self, wait: Duration, what: &str) {
        self.let_go();
        if self.is_announced && progress::announce(wait, what) {
            self.is_announced = false;
        }
        progress::wait(wait, what);
    }

    /// The way in use.
    ///
    /// # Errors
    /// [`Failure`]: no host answers.
    pub(crate) fn way(&mut self) -> Result<&Way, Failure> {
        Ok(&self.connect()?.way)
    }

    fn connect(&mut self) -> Result<&mut Connection, Failure> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.find(self.options.timeout)?,
        };
        Ok(self.connection.insert(connection))
    }

    /// The first way on which a host answers.
    fn find(&self, timeout: Duration) -> Result<Connection, Failure> {
        let ways = match &self.options.device {
            Some(name) => vec![Way::named(name, is_socket).map_err(Failure::Usage)?],
            None if self.is_held => ways_without_broker(),
            None => usual_ways(),
        };
        let mut connection = find(ways, timeout)?;
        if self.is_held {
            connection.link.hold();
        }
        Ok(connection)
    }
}

/// A broker that answers, whose host does not.
fn silent_behind(broker: &Way, silent: &NotYet) -> Failure {
    Failure::NoHost {
        tried: vec![format!("{broker}: {silent}")],
        remedy: "What hostinfo serve writes says more: on the terminal that it was started from, or in journalctl -u \
                 hostinfo-serve."
            .to_owned(),
    }
}

/// `interval=5`
fn interval(line: &Line) -> Option<Duration> {
    reply::interval(line.text.strip_prefix("interval=").filter(|_| line.code == Code::Done)?)
}
