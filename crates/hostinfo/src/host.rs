//! The host: finds the port it listens on, asks, and waits if it is too soon.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::{Duration, Instant};

use hostinfo_wire::Code;
use hostinfo_wire::limits::{INTERVAL_MAX, LINE_MAX};
use hostinfo_wire::reply::parse_retry_after;

use crate::args::Options;
use crate::blame;
use crate::broken::Broken;
use crate::exit::{Failure, Trouble};
use crate::link::Link;
use crate::port::{OpenError, Port};
use crate::progress;
use crate::question::Question;
use crate::remedy::remedy;
use crate::reply::Line;
use crate::system::{is_socket, open, others_on, usual_ways, ways_without_broker};
use crate::verdict;
use crate::way::Way;

/// How often one request is sent again after a wait. Programs in one guest share its interval and
/// take turns, so the first wait may not be the last.
const WAITS_MAX: u32 = 32;

/// How often to wait for a verdict: the host counts seconds, and may start over in between.
const VERDICT_WAITS_MAX: u32 = 4;

/// The pause before a way is opened again on which the host hung up; it doubles up to the longest. A
/// daemon or a broker that is restarted is back within a second.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_millis(400);

/// How long a way may be silent before the next one is tried.
const FIRST_LOOK: Duration = Duration::from_secs(1);

/// The host of this guest, connected to at the first question.
pub(crate) struct Host<'a> {
    options: &'a Options,
    connection: Option<Connection>,
    /// Whether others are kept from the port as long as it is in use, and the broker is not asked.
    is_held: bool,
    /// The time that must pass between two queries of this guest, once the host has reported it.
    interval: Option<Duration>,
}

struct Connection {
    way: Way,
    link: Link<Box<dyn Port>>,
}

impl<'a> Host<'a> {
    pub(crate) fn new(options: &'a Options) -> Self {
        Self { options, connection: None, is_held: false, interval: None }
    }

    /// The same for a broker, which keeps the port to itself.
    pub(crate) fn held(options: &'a Options) -> Self {
        Self { is_held: true, ..Self::new(options) }
    }

    /// Whether there is a connection, though it may be an old one.
    pub(crate) fn is_connected(&self) -> bool {
        self.connection.is_some()
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
            let [Line { code: Code::TooSoon, text }, ..] = lines.as_slice() else {
                self.interval = lines.iter().find_map(interval).or(self.interval);
                return Ok(lines);
            };
            let wait = parse_retry_after(text).ok_or(Failure::Unexpected("when"))?;
            // An answer that was lost on its way counts for the host's interval.
            let is_own_fault = was_disturbed && wait <= self.options.timeout;
            if waits == WAITS_MAX || !(self.options.wait || is_own_fault) {
                return Err(Failure::TooSoon(wait));
            }
            waits += 1;
            self.sit_out(wait.min(INTERVAL_MAX), "too soon to ask, asking again");
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
    /// wait exceeds `patience`; `None` means no limit. Returns the newest reply.
    ///
    /// # Errors
    /// [`Failure`]: there is no reply at all.
    pub(crate) fn ask_for_verdicts(
        &mut self,
        question: &Question,
        mut patience: Option<Duration>,
    ) -> Result<Vec<Line>, Failure> {
        let mut take = |wait: Duration| match patience.as_mut().map(|left| left.checked_sub(wait)) {
            None => true,
            Some(rest) => {
                patience = rest.or(Some(Duration::ZERO));
                rest.is_some()
            }
        };
        let (mut newest, mut failure) = (None, None);
        for _ in 0..=VERDICT_WAITS_MAX {
            let wait = match self.ask(question) {
                Ok(lines) => {
                    let wait = verdict::again(&lines);
                    newest = Some(lines);
                    wait
                }
                Err(Failure::TooSoon(wait)) => {
                    failure = Some(Failure::TooSoon(wait));
                    Some(wait)
                }
                Err(other) => return newest.ok_or(other),
            };
            match wait {
                Some(wait) if take(wait) => self.sit_out(wait, "waiting for the host's verdict"),
                _ => break,
            }
        }
        newest.ok_or_else(|| failure.unwrap_or(Failure::Unexpected("verdict")))
    }

    /// Whether the user wants to wait for as long as the host says.
    pub(crate) fn is_patient(&self) -> bool {
        self.options.wait
    }

    /// Releases the port until the next request, as others may want to use it.
    pub(crate) fn let_go(&mut self) {
        self.connection = None;
    }

    /// Waits, with the port released.
    pub(crate) fn sit_out(&mut self, wait: Duration, what: &str) {
        self.let_go();
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

/// `interval=5`
fn interval(line: &Line) -> Option<Duration> {
    let seconds = line.text.strip_prefix("interval=").filter(|_| line.code == Code::Done)?;
    Duration::try_from_secs_f64(seconds.parse().ok()?).ok()
}

/// The first of the ways on which a host answers. Each is tried briefly, so that one without an
/// answer does not delay the next; the last existing one then gets what is left of the timeout,
/// because a serial line under emulation is slow.
fn find(ways: Vec<Way>, timeout: Duration) -> Result<Connection, Failure> {
    let (mut tried, mut failure, mut last) = (Vec::new(), None, None);
    let look = FIRST_LOOK.min(timeout / 2);
    let mut left = timeout;
    for way in ways {
        match talk(&way, timeout, look) {
            Ok(link) => return Ok(Connection { way, link }),
            Err(why) if why.is_absence() => {
                if let Trouble::Talk(Broken::Silent(_) | Broken::Strange) = why {
                    last = Some((way.clone(), tried.len()));
                    left = left.saturating_sub(look);
                }
                tried.push((way, why));
            }
            Err(why) => {
                failure.get_or_insert(Failure::Port { way, why });
            }
        }
    }
    if let Some((way, number)) = last {
        // Short timeouts may be over, but a port that was dead is not until it has been opened twice.
        let left = left.max(look);
        match talk(&way, timeout, left) {
            Ok(link) => return Ok(Connection { way, link }),
            Err(why) if why.is_absence() => {
                if let Some((_, first)) = tried.get_mut(number) {
                    *first = match why {
                        Trouble::Talk(Broken::Silent(_)) => Broken::Silent(look + left).into(),
                        why => why,
                    };
                }
            }
            Err(why) => {
                failure.get_or_insert(Failure::Port { way, why });
            }
        }
    }
    // Only a way that the user named is tried alone.
    if let (None, [(way, Trouble::Open(OpenError::Missing))]) = (&failure, tried.as_slice()) {
        return Err(Failure::NoDevice(way.clone()));
    }
    let reads = |way: &Way| way.device().and_then(|path| blame::silent(path, &others_on(path)));
    let ways: Vec<&Way> = tried.iter().map(|(way, _)| way).collect();
    let taken = ways.iter().find_map(|way| reads(way));
    let remedy = taken.unwrap_or_else(|| remedy(&ways));
    let tried = tried.iter().map(|(way, why)| format!("{way}: {why}")).collect();
    Err(failure.unwrap_or(Failure::NoHost { tried, remedy }))
}

/// Opens a way and synchronizes with the host within `patience`. A serial port that is opened while
/// bytes are waiting in it can be dead until it is opened again, neither sending nor receiving
/// (seen once in 60 boots of a guest under QEMU 7.2). That is another reason to try briefly first.
fn talk(way: &Way, timeout: Duration, patience: Duration) -> Result<Link<Box<dyn Port>>, Trouble> {
    Ok(Link::establish(open(way, timeout)?, patience, token)?)
}

impl Connection {
    /// The failure that corresponds to the end of a conversation.
    fn failed(&self, why: Broken) -> Failure {
        let way = self.way.clone();
        let Some(path) = way.device() else { return Failure::Port { way, why: why.into() } };
        let mut others = self.link.others().clone();
        others.add(others_on(path));
        let by = match why {
            Broken::Disturbed(_) => blame::disturbed(&others, blame::is_logged_to(path)),
            Broken::Silent(_) | Broken::Stalled if others.read() => {
                blame::disturbed(&others, false)
            }
            why => return Failure::Port { way, why: why.into() },
        };
        Failure::Disturbed { way, why, by }
    }
}

/// A word that nobody has sent before.
///
/// Guessing it gains nothing, so the seed of the hash maps is good enough: it does not wait for the
/// kernel to gather randomness, which takes a second and more while a guest boots.
fn token() -> String {
    let random = || RandomState::new().build_hasher().finish();
    // Long, so that another program that reads from the port more likely takes part of the token
    // than only part of the answer.
    format!("{:016x}{:016x}", random(), random())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::os::unix::net::UnixListener;
    use std::path::Path;

    const TIMEOUT: Duration = Duration::from_secs(60);

    /// A listener that answers pings if it `answers`, after a delay of `late`.
    fn listen(path: &Path, answers: bool, late: Duration) -> Way {
        let listener = UnixListener::bind(path).unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                std::thread::sleep(late);
                let lines = BufReader::new(stream.try_clone().unwrap()).split(b'\n');
                for line in lines.map_while(Result::ok).filter(|_| answers) {
                    if let Some(token) = line.strip_prefix(b"ping ") {
                        stream
                            .write_all(&[b"200 pong ", token, b"\n"].concat())
                            .unwrap_or_default();
                    }
                }
            }
        });
        Way::Unix(path.to_owned())
    }

    #[test]
    fn the_first_way_on_which_a_host_answers_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let gone = path("gone");
        drop(UnixListener::bind(&gone).unwrap());
        let ways = vec![
            Way::Device(path("none")),
            Way::Unix(gone),
            listen(&path("silent"), false, Duration::ZERO),
            listen(&path("one"), true, Duration::ZERO),
            listen(&path("two"), true, Duration::ZERO),
        ];
        let start = Instant::now();
        let found = find(ways, TIMEOUT).unwrap();
        assert_eq!(found.way, Way::Unix(path("one")));
        assert!(start.elapsed() < TIMEOUT / 2, "the silent one is left after a moment");
    }

    #[test]
    fn the_last_that_is_there_is_given_the_rest_of_the_timeout() {
        let folder = tempfile::tempdir().unwrap();
        let slow = listen(&folder.path().join("slow"), true, FIRST_LOOK + FIRST_LOOK / 2);
        let none = Way::Device(folder.path().join("none"));
        assert_eq!(find(vec![slow.clone(), none], TIMEOUT).unwrap().way, slow);
    }

    #[test]
    fn one_silent_way_takes_the_timeout_and_no_longer() {
        let folder = tempfile::tempdir().unwrap();
        let silent = listen(&folder.path().join("silent"), false, Duration::ZERO);
        let (start, timeout) = (Instant::now(), 3 * FIRST_LOOK);
        let Err(failure) = find(vec![silent], timeout) else { panic!("somebody answered") };
        let took = start.elapsed();
        assert!(failure.to_string().contains(": silent for 3 s"), "{failure}");
        assert!(took >= timeout && took < timeout + FIRST_LOOK * 9 / 10, "{took:?}");
    }

    #[test]
    fn a_socket_that_is_not_there_is_that_of_a_broker_to_be_started() {
        let missing = Way::Unix("/no/such/socket".into());
        let Err(failure) = find(vec![missing], TIMEOUT) else { panic!("somebody answered") };
        let told = failure.to_string();
        assert!(
            told.starts_with(
                "no host answers: unix:/no/such/socket: no such socket\nStart the broker (hostinfo serve --socket \
                 /no/such/socket), or "
            ),
            "{told}"
        );
    }

    #[test]
    fn where_nobody_answers_each_way_is_told_with_its_reason() {
        let folder = tempfile::tempdir().unwrap();
        let silent = listen(&folder.path().join("silent"), false, Duration::ZERO);
        let ways = vec![Way::Device("/dev/no-such".into()), silent.clone()];
        let timeout = Duration::from_millis(200);
        let Err(failure) = find(ways, timeout) else { panic!("somebody answered") };
        let told = failure.to_string();
        let expected =
            format!("no host answers: /dev/no-such: no such device; {silent}: silent for 0.2 s\n");
        assert!(told.starts_with(&expected), "{told}");
    }
}
