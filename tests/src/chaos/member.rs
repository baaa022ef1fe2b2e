//! One guest of the crowd: its socket, its connection, and the query that it waits for.

use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{fs, io};

use anyhow::{Context as _, Result};

use super::guest::{self, Number};
use super::reply::{Query, Reply};

/// Between an answer and the next query. A query is three lines, of which a guest may send 20 a second.
const PAUSE: Duration = Duration::from_millis(700);

/// A guest.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) number: Number,
    path: PathBuf,
    pub(crate) listener: UnixListener,
    pub(crate) stream: Option<UnixStream>,
    received: Vec<u8>,
    count: u64,
    /// When it asks next, unless it waits.
    next: Instant,
    /// Since when it waits for an answer, over several connections, and how long others had been kept from running then.
    pub(crate) waits: Option<(Instant, Duration)>,
    /// When it has sent its query over this connection.
    pub(crate) sent: Option<Instant>,
    /// The earliest content of the rules file that it may still see.
    pub(crate) not_before: usize,
    pub(crate) is_reported: bool,
}

/// What has come of a guest's query.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The whole reply, or why it is not whole.
    Answered(Result<Reply, String>),
    /// The connection has ended before that.
    HungUp,
    /// Not all of it has come.
    Nothing,
}

impl Member {
    /// Binds its socket in that directory.
    pub(crate) fn new(number: Number, directory: &Path, now: Instant) -> Result<Self> {
        let path = directory.join(guest::socket(number));
        let listener = bind(&path)?;
        // Not all at once.
        let next = now + PAUSE.mul_f64(f64::from(number % 50) / 50.0);
        Ok(Self {
            number,
            path,
            listener,
            stream: None,
            received: Vec::new(),
            count: 0,
            next,
            waits: None,
            sent: None,
            not_before: 0,
            is_reported: false,
        })
    }

    /// As if its VMM were started anew: another socket at the same path, and no connection.
    pub(crate) fn start_anew(&mut self) -> Result<()> {
        self.hang_up();
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        self.listener = bind(&self.path)?;
        Ok(())
    }

    /// Ends its connection.
    pub(crate) fn hang_up(&mut self) {
        self.stream = None;
        self.sent = None;
        self.received.clear();
    }

    /// Takes the daemon's newest connection.
    pub(crate) fn accept(&mut self) {
        while let Ok((stream, _)) = self.listener.accept() {
            self.hang_up();
            if stream.set_nonblocking(true).is_ok() {
                self.stream = Some(stream);
            }
        }
    }

    /// Begins to wait when its time has come, and sends its query where that has not been done.
    pub(crate) fn ask(&mut self, now: Instant, kept_from_running: Duration) {
        if now >= self.next {
            self.waits.get_or_insert((now, kept_from_running));
        }
        if self.waits.is_none() || self.sent.is_some() {
            return;
        }
        if let Some(stream) = &mut self.stream {
            self.count += 1;
            let query = Query::new(self.number, self.count).bytes();
            // It fits into an empty socket. A connection that has ended shows when it is read.
            let _ = stream.write_all(query.as_bytes());
            self.sent = Some(now);
        }
    }

    /// Reads what has come.
    pub(crate) fn read(&mut self, now: Instant) -> Outcome {
        let Some(stream) = &mut self.stream else { return Outcome::Nothing };
        let mut chunk = [0; 4096];
        let length = match stream.read(&mut chunk) {
            Ok(0) => return Outcome::HungUp,
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Outcome::Nothing,
            Err(_) => return Outcome::HungUp,
        };
        self.received.extend_from_slice(chunk.get(..length).unwrap_or_default());
        if !self.received.ends_with(b"\n") {
            return Outcome::Nothing;
        }
        let text = String::from_utf8_lossy(&self.received);
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let query = Query::new(self.number, self.count);
        if self.sent.is_none() {
            return Outcome::Answered(Err(format!("it has asked nothing and gets {lines:?}")));
        }
        if !query.is_complete(&lines) {
            return Outcome::Nothing;
        }
        self.received.clear();
        self.next = now + PAUSE;
        let reply = query.reply(&lines);
        Outcome::Answered(reply.map_err(|why| format!("{why}: {lines:?}")))
    }

    /// Its query is answered. Returns since when it had waited.
    pub(crate) fn is_answered(&mut self) -> Option<(Instant, Duration)> {
        self.sent = None;
        self.is_reported = false;
        self.waits.take()
    }
}

fn bind(path: &Path) -> Result<UnixListener> {
    let bound = UnixListener::bind(path).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok::<_, io::Error>(listener)
    });
    bound.with_context(|| format!("bind {}", path.display()))
}
