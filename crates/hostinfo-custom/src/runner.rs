//! The program `hostinfo-run`: runs the administrator's commands for hostinfod, as another user and in another unit.
//!
//! It reads the definitions itself, anew for each run, and believes nothing else: hostinfod names a definition and a
//! guest, never a command. What a command may take in time, output and company is bounded here, whatever is asked.

pub mod apart;
mod child;
mod order;
pub mod own_alone;
mod printed;
mod refused_peers;
mod starting;
mod strays;

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use hostinfo_peer::{PeerSocket, ReadError, refuse_descriptors, unclosed};
use nix::sys::socket::{getsockopt, sockopt};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::SocketFlags;
use rustix::process::Pid;

use crate::account::Accounts;
use crate::directory::{self, Found};
use crate::limits::{
    IDLE, LOOK_EVERY, LOOKS_FOR_STRAYS, OUTPUT_MAX, PATIENCE, REQUEST_WITHIN, RUNS_MAX, STUCK_MAX,
    UNCLOSED_MAX,
};
use crate::message::{self, Answer};
use child::Child;
use order::Order;
use printed::Printed;
use refused_peers::RefusedPeers;
use starting::{Dying, Starting};

/// Whom it serves, and what it may run.
#[derive(Debug, Clone)]
pub struct Options {
    /// The directory of definitions.
    pub directory: PathBuf,
    /// The user that it must belong to: always 0, except in tests.
    pub owner: u32,
    /// hostinfod's user, the only one that may ask.
    pub caller: u32,
    /// Whether it ends when nobody has asked for [`IDLE`].
    pub ends_when_idle: bool,
    /// Whether it kills what commands leave outside their process groups, which takes a process that has no other children
    /// and no other threads: always true, except in tests.
    pub kills_strays: bool,
}

/// Serves whoever connects to `listener`.
///
/// # Errors
/// `listener` is not a socket that listens, the kernel is out of descriptors, or /proc cannot be read.
pub fn serve(listener: impl AsFd, options: &Options) -> io::Result<()> {
    refuse_descriptors(&listener);
    let read = || {
        let accounts = Accounts::of_host();
        (directory::read(&options.directory, options.owner, &accounts), accounts)
    };
    let mut runner = Runner::new(read, options.caller);
    if options.kills_strays {
        runner.kills_strays = strays::adopt()?;
        if !runner.kills_strays {
            eprintln!(
                "hostinfo-run has children that it did not start, so processes that commands leave behind are killed only \
                 in their process groups: start hostinfo-run as a process of its own"
            );
        }
    }
    runner.serve(listener, options.ends_when_idle)
}

/// What is running.
pub(crate) struct Runner<R> {
    /// Reads the definitions and the users.
    read: R,
    caller: u32,
    /// At most [`RUNS_MAX`].
    runs: Vec<Run>,
    /// Without it, it looks again and again for commands that have ended, as on kernels before Linux 5.3.
    has_pidfds: bool,
    /// Commands that nobody waits for but that are not gone, and their statistics: one that hangs in a file system may take
    /// days. They do not occupy a place, and nothing of the same statistic runs beside them, so there are never more of
    /// them than statistics and places.
    dying: Vec<(Box<str>, Dying)>,
    /// Whether whatever has no other parent any more is a child of this process, and a command's.
    kills_strays: bool,
    /// How many looks for such processes are still to follow the end of the last run.
    looks: u32,
    refused_peers: RefusedPeers,
}

/// A caller's connection.
struct Run {
    socket: PeerSocket,
    state: State,
    /// Of its state: each state has one.
    deadline: Instant,
}

enum State {
    /// It has not said what to run.
    Silent,
    /// The statistic has a command that is dying.
    Waiting(Order),
    /// For the statistic of that name.
    Starting(Box<str>, Starting),
    /// For the statistic of that name.
    Running(Box<str>, Child),
    /// It has ended by itself, or was killed at its deadline, and what it has printed is being read.
    Ending(Box<str>, Child, HasEnded),
}

/// Whether a command has ended by itself.
type HasEnded = bool;

impl<R: Fn() -> (Found, Accounts)> Runner<R> {
    /// Nothing is running yet.
    pub(crate) fn new(read: R, caller: u32) -> Self {
        let (runs, dying, refused_peers) = (Vec::new(), Vec::new(), RefusedPeers::default());
        Self {
            read,
            caller,
            runs,
            has_pidfds: true,
            dying,
            kills_strays: false,
            looks: 0,
            refused_peers,
        }
    }

    /// See [`serve`].
    pub(crate) fn serve(mut self, listener: impl AsFd, ends_when_idle: bool) -> io::Result<()> {
        loop {
            let is_idle = self.runs.is_empty() && self.dying.is_empty() && self.looks == 0;
            match self.wait(listener.as_fd()) {
                Ok(false) if is_idle && ends_when_idle => return Ok(()),
                Ok(false) => {}
                Ok(true) => self.accept(listener.as_fd())?,
                Err(error) => return Err(error.into()),
            }
            self.turn(Instant::now());
        }
    }

    /// The commands that are running or dying.
    fn children(&self) -> Vec<&Child> {
        let running = self.runs.iter().filter_map(|run| match &run.state {
            State::Running(_, child) | State::Ending(_, child, _) => Some(child),
            State::Silent | State::Waiting(_) | State::Starting(..) => None,
        });
        running.chain(self.dying.iter().filter_map(|(_, dying)| dying.child())).collect()
    }

    /// How many commands that nobody waits for still have a thread.
    fn stuck(&self) -> usize {
        self.dying.iter().filter(|(_, dying)| !matches!(dying, Dying::Killed(_))).count()
    }

    /// Sleeps until there is something to do. Returns true if somebody has connected and there is a place.
    fn wait(&self, listener: BorrowedFd<'_>) -> Result<bool, Errno> {
        let children = self.children();
        let mut fds: Vec<PollFd<'_>> = Vec::new();
        // Others wait in the kernel until there is a place for them.
        let is_closing = unclosed() >= UNCLOSED_MAX;
        let has_place = self.runs.len() < RUNS_MAX && !is_closing;
        fds.extend(has_place.then(|| PollFd::from_borrowed_fd(listener, PollFlags::IN)));
        let sockets = self.runs.iter().map(|run| run.socket.as_fd());
        let ends = children.iter().filter_map(|child| child.pidfd());
        fds.extend(sockets.chain(ends).map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        let now = Instant::now();
        let is_starting = |run: &Run| matches!(run.state, State::Starting(..));
        let looks = is_closing
            || self.looks > 0
            || self.stuck() > 0
            || self.runs.iter().any(is_starting)
            || children.iter().any(|child| child.pidfd().is_none());
        let deadlines = self.runs.iter().map(|run| run.deadline);
        let until = deadlines.chain(looks.then(|| now + LOOK_EVERY)).min().unwrap_or(now + IDLE);
        let timeout = Timespec::try_from(until.saturating_duration_since(now));
        match poll(&mut fds, Some(&timeout.map_err(|_| Errno::INVAL)?)) {
            // As if there had been nothing to do.
            Err(Errno::INTR) => return Ok(false),
            other => other?,
        };
        let first = fds.first().filter(|_| has_place);
        Ok(first.is_some_and(|listener| !listener.revents().is_empty()))
    }

    fn accept(&mut self, listener: BorrowedFd<'_>) -> io::Result<()> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = match rustix::net::accept_with(listener, flags) {
            Ok(socket) => PeerSocket::from(socket),
            Err(Errno::INTR | Errno::CONNABORTED | Errno::AGAIN) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let user = getsockopt(&socket, sockopt::PeerCredentials).map(|peer| peer.uid());
        if user == Ok(self.caller) {
            let deadline = Instant::now() + REQUEST_WITHIN;
            self.runs.push(Run { socket, state: State::Silent, deadline });
        } else {
            let user = user.map_or_else(|_| "?".to_owned(), |user| user.to_string());
            let why = format!(
                "hostinfo-run serves only user {}, not user {user}: its option --user names that of hostinfod",
                self.caller
            );
            match self.refused_peers.come(Instant::now()) {
                Some(0) => eprintln!("{why}"),
                Some(left_out) => eprintln!("{why} ({left_out} others since the last such line)"),
                None => {}
            }
            answer(&socket, &Answer::Refused(why));
        }
        Ok(())
    }

    /// Takes requests, starts commands, and answers those that ask for one that has ended or is past its deadline.
    fn turn(&mut self, now: Instant) {
        let were_dying = self.dying.len();
        let dying = std::mem::take(&mut self.dying).into_iter();
        self.dying = dying.filter_map(|(name, dying)| Some((name, dying.advance()?))).collect();
        if self.dying.len() < were_dying {
            self.looks = LOOKS_FOR_STRAYS;
        }
        for run in std::mem::take(&mut self.runs) {
            if let Some(run) = self.advance(run, now) {
                self.runs.push(run);
            }
        }
        if self.looks > 0 {
            let known: Vec<Pid> = self.children().into_iter().map(Child::pid).collect();
            let is_any_left = self.kills_strays && strays::kill(&known);
            self.looks = if is_any_left { self.looks - 1 } else { 0 };
        }
    }

    /// The run as it goes on; `None` if it is over.
    fn advance(&mut self, mut run: Run, now: Instant) -> Option<Run> {
        let request = match message::receive(&run.socket) {
            Err(ReadError::System(Errno::AGAIN | Errno::INTR)) => None,
            Ok(packet) if matches!(run.state, State::Silent) && !packet.is_empty() => Some(packet),
            // It has hung up, or says more than there is to say.
            Ok(_) | Err(_) => {
                self.give_up(run.state);
                return None;
            }
        };
        run.state = match run.state {
            State::Silent => {
                match request.map(|packet| Order::of(&packet, &self.read, self.caller)) {
                    None if run.deadline <= now => return None,
                    None => State::Silent,
                    Some(Err(why)) => {
                        answer(&run.socket, &Answer::Refused(why));
                        return None;
                    }
                    Some(Ok(order)) => {
                        run.deadline = now + order.timeout;
                        State::Waiting(order)
                    }
                }
            }
            state => state,
        };
        let mut patience = Duration::ZERO;
        run.state = match run.state {
            State::Waiting(order) if self.dying.iter().any(|(name, _)| *name == order.name) => {
                if run.deadline <= now {
                    answer(&run.socket, &Answer::Late(Vec::new()));
                    return None;
                }
                State::Waiting(order)
            }
            State::Waiting(_) if self.stuck() >= STUCK_MAX => {
                answer(&run.socket, &Answer::NotRun(Errno::AGAIN));
                return None;
            }
            State::Waiting(order) => match Starting::begin(&order.words, order.account) {
                Ok(starting) => {
                    run.deadline = now + order.timeout;
                    patience = PATIENCE;
                    State::Starting(order.name, starting)
                }
                Err(error) => {
                    answer(&run.socket, &Answer::NotRun(message::errno(&error)));
                    return None;
                }
            },
            state => state,
        };
        run.state = match run.state {
            State::Starting(name, starting) => match starting.take(patience) {
                None if run.deadline <= now => {
                    self.dying.push((name, Dying::Starting(starting)));
                    answer(&run.socket, &Answer::Late(Vec::new()));
                    return None;
                }
                None => State::Starting(name, starting),
                Some(Ok(mut child)) => {
                    if !self.has_pidfds {
                        child.drop_pidfd();
                    }
                    State::Running(name, child)
                }
                Some(Err(error)) => {
                    answer(&run.socket, &Answer::NotRun(message::errno(&error)));
                    return None;
                }
            },
            state => state,
        };
        run.state = match run.state {
            State::Running(name, mut child) if run.deadline <= now || child.has_ended() => {
                let has_ended = child.has_ended();
                if has_ended {
                    child.drop_pidfd();
                    self.looks = LOOKS_FOR_STRAYS;
                }
                child.kill();
                patience = PATIENCE;
                State::Ending(name, child, has_ended)
            }
            state => state,
        };
        match run.state {
            State::Ending(name, child, has_ended) => match child.printed(patience) {
                None if now < run.deadline => {
                    Some(Run { state: State::Ending(name, child, has_ended), ..run })
                }
                printed => {
                    let told = self.end(name, child, has_ended, printed);
                    answer(&run.socket, &told);
                    None
                }
            },
            state => Some(Run { state, ..run }),
        }
    }

    /// Says what became of a command.
    fn end(
        &mut self,
        name: Box<str>,
        mut child: Child,
        has_ended: HasEnded,
        printed: Option<Printed>,
    ) -> Answer {
        let status = if has_ended { child.reap() } else { Ok(None) };
        if !has_ended {
            self.dying.push((name, Dying::Killed(child)));
        } else if printed.is_none() {
            self.dying.push((name, Dying::Unread(child.into_reader())));
        }
        let Some(Printed { output, errors }) = printed else { return Answer::Late(Vec::new()) };
        match status {
            _ if output.len() > OUTPUT_MAX => Answer::TooLong,
            Ok(Some(status)) if status.success() => Answer::Printed(output),
            Ok(Some(status)) => Answer::Failed(status, errors),
            Ok(None) => Answer::Late(errors),
            Err(error) => Answer::NotRun(message::errno(&error)),
        }
    }

    /// Nobody waits for it any more.
    fn give_up(&mut self, state: State) {
        let dying = match state {
            State::Silent | State::Waiting(_) => return,
            State::Starting(name, starting) => (name, Dying::Starting(starting)),
            State::Running(name, child) | State::Ending(name, child, _) => {
                (name, Dying::kill(child))
            }
        };
        self.dying.push(dying);
    }
}

/// The first packet on a connection always has room; whoever has hung up needs no answer.
fn answer(socket: &PeerSocket, answer: &Answer) {
    let _ = message::send(socket, &answer.to_packet());
}

#[cfg(test)]
pub(crate) mod tests;
