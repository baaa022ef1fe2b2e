//! The host: finds the port behind which it listens, asks, and waits where it is too soon.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hostinfo_wire::Code;
use hostinfo_wire::limits::{INTERVAL_MAX, LINE_MAX};
use hostinfo_wire::reply::parse_retry_after;

use crate::args::Options;
use crate::exit::Failure;
use crate::link::{Broken, Line, Link};
use crate::port::{CANDIDATES, LinuxPort, OpenError};

/// How often one request is sent again after a wait. Programs of one guest share its interval
/// and take turns, so the first wait need not be the last.
const WAITS_MAX: u32 = 32;

/// A wait that is worth a word on a terminal.
const LONG_WAIT: Duration = Duration::from_secs(2);

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
        let mut waits = 0;
        loop {
            let connection = self.connect()?;
            let lines = connection
                .link
                .ask(request)
                .map_err(|why| Failure::Link { path: connection.path.clone(), why })?;
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
            crate::output::complain(format_args!(
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
        let timeout = self.options.timeout;
        let mut silent = Vec::new();
        let mut failure = None;
        for path in paths {
            let port = match LinuxPort::open(&path, timeout) {
                Ok(port) => port,
                Err(why @ (OpenError::Missing | OpenError::NoHardware)) => {
                    silent.push(format!("{}: {why}", path.display()));
                    continue;
                }
                Err(why) => {
                    failure.get_or_insert(Failure::Port { path, why });
                    continue;
                }
            };
            match Link::establish(port, timeout, token) {
                Ok(link) => return Ok(Connection { path, link }),
                Err(why @ Broken::Io(_)) => {
                    failure.get_or_insert(Failure::Link { path, why });
                }
                Err(why) => silent.push(format!("{}: {why}", path.display())),
            }
        }
        Err(failure.unwrap_or(Failure::NoHost(silent)))
    }
}

/// A word that nobody has sent before.
fn token() -> String {
    // Without randomness the process and the time make do: nobody gains by guessing it.
    let number = getrandom::u64().unwrap_or_else(|_| {
        let time = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
        u64::from(time.subsec_nanos()) << 32 | u64::from(std::process::id())
    });
    format!("{number:016x}")
}
