//! A host at the controlling end of a pseudo-terminal: enough of one to talk to.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use hostinfo_wire::{Frame, Framer};
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// The host's reaction to a line.
pub(crate) enum Act {
    /// It sends these bytes.
    Say(Vec<u8>),
    /// It sends these bytes and hangs up.
    Die(Vec<u8>),
    /// It sends these bytes, and then nothing more.
    Fall(Vec<u8>),
}

impl<T: AsRef<[u8]>> From<T> for Act {
    fn from(text: T) -> Self {
        Self::Say(text.as_ref().to_vec())
    }
}

/// A host at a socket, for one connection: it answers pings, and other lines as `answer` does, until that has no answer. What
/// is to be ignored has an empty one.
pub(crate) fn answer_all(mut stream: UnixStream, mut answer: impl FnMut(&str) -> Option<String>) {
    for line in BufReader::new(stream.try_clone().unwrap()).split(b'\n') {
        let line = String::from_utf8_lossy(&line.unwrap()).into_owned();
        let answer = match line.strip_prefix("ping ") {
            Some(token) => format!("200 pong {token}\n"),
            None => match answer(&line) {
                Some(answer) => answer,
                None => return,
            },
        };
        // Who asks may have hung up.
        stream.write_all(answer.as_bytes()).unwrap_or_default();
    }
}

/// A host that runs as long as this lives.
pub(crate) struct FakeHost {
    /// The path of the guest's end.
    pub(crate) path: PathBuf,
    /// The guest's end. Like any new tty, it starts cooked and with echo. It is held open, because
    /// a pseudo-terminal hangs up at its last close and a serial port does not.
    pub(crate) tty: OwnedFd,
}

impl FakeHost {
    /// A host that answers pings, and hands every other line to `answer`.
    pub(crate) fn new<A: Into<Act>>(mut answer: impl FnMut(&str) -> A + Send + 'static) -> Self {
        Self::raw(b"", move |line| match line.strip_prefix("ping") {
            Some(token) => format!("200 pong{token}\n").into(),
            None => answer(line).into(),
        })
    }

    /// A host that has already sent `before`, and hands every line to `answer`.
    pub(crate) fn raw<A: Into<Act>>(
        before: &[u8],
        mut answer: impl FnMut(&str) -> A + Send + 'static,
    ) -> Self {
        let (mut host, tty, path) = pty();
        host.write_all(before).unwrap();
        std::thread::spawn(move || {
            let mut framer = Framer::new();
            let mut chunk = [0; 4096];
            let mut is_silent = false;
            while let Ok(length) = host.read(&mut chunk) {
                let mut input = &chunk[..length];
                while let Some(frame) = framer.next(&mut input) {
                    let Frame::Line(line) = frame else { continue };
                    if is_silent {
                        continue;
                    }
                    match answer(&String::from_utf8_lossy(line)).into() {
                        Act::Say(text) => host.write_all(&text).unwrap_or_default(),
                        Act::Die(text) => return host.write_all(&text).unwrap_or_default(),
                        Act::Fall(text) => {
                            host.write_all(&text).unwrap_or_default();
                            is_silent = true;
                        }
                    }
                }
            }
        });
        Self { path, tty }
    }
}

/// The controlling end of a new pseudo-terminal, its other end, and the path of that.
pub(crate) fn pty() -> (File, OwnedFd, PathBuf) {
    let host = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&host).unwrap();
    unlockpt(&host).unwrap();
    let path = ptsname(&host, Vec::new()).unwrap().into_bytes();
    let path = PathBuf::from(std::ffi::OsString::from_vec(path));
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let tty = rustix::fs::open(&path, flags, Mode::empty()).unwrap();
    (File::from(host), tty, path)
}
