//! The host: finds the port behind which it listens, asks, and waits where it is too soon.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hostinfo_wire::Code;
use hostinfo_wire::limits::{INTERVAL_MAX, LINE_MAX};
use hostinfo_wire::reply::parse_retry_after;

use crate::args::Options;
use crate::exit::{Failure, Trouble};
use crate::link::{Broken, Line, Link};
use crate::port::{CANDIDATES, LinuxPort};

/// How often one request is sent again after a wait. Programs of one guest share its interval
/// and take turns, so the first wait need not be the last.
const WAITS_MAX: u32 = 32;

/// A wait that is worth a word on a terminal.
const LONG_WAIT: Duration = Duration::from_secs(2);

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

    /// Sends a request; its reply, which has at least one line and no 400 and no 429.
    ///
    /// # Errors
    /// [`Failure`]: there is no such reply.
    pub(crate) fn ask(&mut self, request: &str) -> Result<Vec<Line>, Failure> {
        if request.len() > LINE_MAX {
            return Err(Failure::Usage(format!(
                "too many names for one request of {LINE_MAX} bytes: ask for a group"
            )));
        }
        let timeout = self.options.timeout;
        let mut waits = 0;
        loop {
            let connection = self.connect()?;
            let lines = connection
                .link
                .ask(request, timeout)
                .map_err(|why| Failure::Port { path: connection.path.clone(), why: why.into() })?;
            match lines.as_slice() {
                [Line { code: Code::NotARequest, text }, ..] => {
                    return Err(Failure::NotUnderstood(text.clone()));
                }
                [Line { code: Code::TooSoon, text }, ..] => {
                    let wait = parse_retry_after(text).ok_or(Failure::Unexpected("when"))?;
                    if !self.options.wait || waits == WAITS_MAX {
                        return Err(Failure::TooSoon(wait));
                    }
                    waits += 1;
                    self.sit_out(wait.min(INTERVAL_MAX));
                }
                _ => return Ok(lines),
            }
        }
    }

    /// Lets go of the port meanwhile: others may have something to ask.
    fn sit_out(&mut self, wait: Duration) {
        self.connection = None;
        if wait >= LONG_WAIT && std::io::stderr().is_terminal() {
            crate::exit::complain(format_args!(
                "too soon, asking again in {}",
                crate::units::duration(wait)
            ));
        }
        std::thread::sleep(wait);
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
        let mut absent = Vec::new();
        let mut failure = None;
        for path in paths {
            match talk(&path, self.options.timeout) {
                Ok(link) => return Ok(Connection { path, link }),
                Err(why) if why.is_absence() => absent.push(format!("{}: {why}", path.display())),
                Err(why) => {
                    failure.get_or_insert(Failure::Port { path, why });
                }
            }
        }
        Err(failure.unwrap_or(Failure::NoHost(absent)))
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
    format!("{:016x}", RandomState::new().build_hasher().finish())
}
