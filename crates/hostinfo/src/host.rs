//! The host: finds the port behind which it listens, asks, and waits where it is too soon.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::path::{Path, PathBuf};
use std::time::Duration;

use hostinfo_wire::Code;
use hostinfo_wire::limits::{INTERVAL_MAX, LINE_MAX};
use hostinfo_wire::reply::parse_retry_after;

use crate::args::Options;
use crate::blame;
use crate::exit::{Failure, Trouble};
use crate::link::{Broken, Link};
use crate::port::{CANDIDATES, LinuxPort, others_on};
use crate::progress;
use crate::question::Question;
use crate::reply::Line;
use crate::verdict;

/// How often one request is sent again after a wait. Programs of one guest share its interval
/// and take turns, so the first wait need not be the last.
const WAITS_MAX: u32 = 32;

/// How often a verdict is waited for: the host counts seconds, and may begin anew in between.
const VERDICT_WAITS_MAX: u32 = 4;

/// How long a port may be silent before it is opened anew.
const FIRST_LOOK: Duration = Duration::from_secs(1);

/// The host of this guest, connected to at the first question.
pub(crate) struct Host<'a> {
    options: &'a Options,
    connection: Option<Connection>,
}

struct Connection {
    path: PathBuf,
    link: Link<LinuxPort>,
}

impl<'a> Host<'a> {
    pub(crate) fn new(options: &'a Options) -> Self {
        Self { options, connection: None }
    }

    /// Asks the host; its reply, which has at least one line and no 400 and no 429.
    ///
    /// # Errors
    /// [`Failure`]: there is no such reply.
    pub(crate) fn ask(&mut self, question: &Question) -> Result<Vec<Line>, Failure> {
        if question.to_string().len() > LINE_MAX {
            return Err(Failure::Usage(format!(
                "too many names for one request of {LINE_MAX} bytes: ask for a group"
            )));
        }
        let timeout = self.options.timeout;
        let mut waits = 0;
        loop {
            let connection = self.connect()?;
            let lines =
                connection.link.ask(question, timeout).map_err(|why| connection.failed(why))?;
            let [Line { code: Code::TooSoon, text }, ..] = lines.as_slice() else {
                return Ok(lines);
            };
            let wait = parse_retry_after(text).ok_or(Failure::Unexpected("when"))?;
            // An answer that was lost on its way counts as one for the host.
            let is_own_fault = connection.link.was_disturbed() && wait <= timeout;
            if waits == WAITS_MAX || !(self.options.wait || is_own_fault) {
                return Err(Failure::TooSoon(wait));
            }
            waits += 1;
            self.sit_out(wait.min(INTERVAL_MAX), "too soon, asking again in");
        }
    }

    /// The same, and again where the host has only begun to look for a verdict, unless the wait for
    /// it is longer than `patience` in all; `None` for no end of it. The newest reply.
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

    /// Whether the user wants to wait as long as the host says.
    pub(crate) fn is_patient(&self) -> bool {
        self.options.wait
    }

    /// Lets go of the port until the next question: others may have something to ask.
    pub(crate) fn let_go(&mut self) {
        self.connection = None;
    }

    /// Lets time pass, and go of the port meanwhile.
    pub(crate) fn sit_out(&mut self, wait: Duration, what: &str) {
        self.let_go();
        progress::wait(wait, what);
    }

    /// The port in use.
    ///
    /// # Errors
    /// [`Failure`]: no host answers.
    pub(crate) fn path(&mut self) -> Result<&Path, Failure> {
        Ok(&self.connect()?.path)
    }

    fn connect(&mut self) -> Result<&mut Connection, Failure> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.find()?,
        };
        Ok(self.connection.insert(connection))
    }

    /// The first port that a host answers on.
    fn find(&self) -> Result<Connection, Failure> {
        let paths = match &self.options.device {
            Some(path) => vec![path.clone()],
            None => CANDIDATES.map(PathBuf::from).to_vec(),
        };
        let (mut tried, mut taken, mut failure) = (Vec::new(), None, None);
        for path in paths {
            match talk(&path, self.options.timeout) {
                Ok(link) => return Ok(Connection { path, link }),
                Err(why) if why.is_absence() => {
                    tried.push(format!("{}: {why}", path.display()));
                    taken = taken.or_else(|| blame::silent(&path, &others_on(&path)));
                }
                Err(why) => {
                    failure.get_or_insert(Failure::Port { path, why });
                }
            }
        }
        Err(failure.unwrap_or(Failure::NoHost { tried, taken }))
    }
}

impl Connection {
    /// What a conversation that ended so amounts to.
    fn failed(&self, why: Broken) -> Failure {
        let path = self.path.clone();
        let mut others = self.link.others().clone();
        others.add(others_on(&path));
        match why {
            Broken::Disturbed(_) => {
                let by = blame::disturbed(&others, blame::is_console(&path));
                Failure::Disturbed { path, why, by }
            }
            Broken::Silent(_) | Broken::Stalled if others.read() => {
                Failure::Disturbed { path, why, by: blame::disturbed(&others, false) }
            }
            why => Failure::Port { path, why: why.into() },
        }
    }
}

/// Finds a footing on a port. A serial port that is opened while bytes wait in it can be dead
/// until it is opened again, neither sending nor receiving (seen once in 60 boots of a guest
/// under QEMU 7.2): where a first look finds nothing at all, there is a second.
fn talk(path: &Path, timeout: Duration) -> Result<Link<LinuxPort>, Trouble> {
    match Link::establish(LinuxPort::open(path, timeout)?, timeout.min(FIRST_LOOK), token) {
        Err(Broken::Silent(_)) => {
            Ok(Link::establish(LinuxPort::open(path, timeout)?, timeout, token)?)
        }
        done => Ok(done?),
    }
}

/// A word that nobody has sent before.
///
/// Nobody gains by guessing it. The seed of the hash maps will do: it does not wait for the
/// kernel to gather randomness, which takes a second and more while a guest boots.
fn token() -> String {
    let random = || RandomState::new().build_hasher().finish();
    // Long: a program that reads from the port as well more likely takes a part of it than a part
    // of the answer alone.
    format!("{:016x}{:016x}", random(), random())
}
