//! Commands that are being started, and those that are to end.
//!
//! To execute a program takes its file, which may be on a file system that hangs. So a thread starts it, which is not waited
//! for long.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use super::apart;
use super::child::{Child, command};
use super::printed::Reader;
use crate::account::Account;

/// A command whose program is not executed yet, as far as is known.
pub(super) struct Starting(Receiver<io::Result<Child>>);

impl Starting {
    /// Begins to start a command apart from others.
    ///
    /// # Errors
    /// There is no thread for it.
    pub(super) fn begin(words: &[String], account: Option<Account>) -> io::Result<Self> {
        let (command, reader) = (command(words, account)?, Reader::begin()?);
        // The thread ends when its command is taken. Only then the command is a child of the main thread, which kills those
        // that it does not know.
        let (bring, brought) = sync_channel(0);
        let start = || apart::keep_apart().and_then(|()| Child::start(command, reader));
        thread::Builder::new().spawn(move || drop(bring.send(start())))?;
        Ok(Self(brought))
    }

    /// One whose file system hangs.
    #[cfg(test)]
    pub(super) fn hangs() -> Self {
        let (bring, brought) = sync_channel(0);
        std::mem::forget(bring);
        Self(brought)
    }

    /// What came of it; `None` if that takes longer than `patience`.
    pub(super) fn take(&self, patience: Duration) -> Option<io::Result<Child>> {
        match self.0.recv_timeout(patience) {
            Ok(started) => Some(started),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Err(io::ErrorKind::Other.into())),
        }
    }
}

/// A command that nobody waits for any more.
pub(super) enum Dying {
    /// It is killed as soon as it is started.
    Starting(Starting),
    /// It was killed, and the kernel has not released it.
    Killed(Child),
    /// It is gone, and somebody keeps what it has printed from being read.
    Unread(Reader),
}

impl Dying {
    /// As it goes on; `None` if it is gone.
    pub(super) fn advance(self) -> Option<Self> {
        match self {
            Self::Starting(starting) => match starting.take(Duration::ZERO) {
                None => Some(Self::Starting(starting)),
                Some(Ok(child)) => Some(Self::kill(child)),
                Some(Err(_)) => None,
            },
            Self::Killed(mut child) => match child.reap() {
                Ok(None) => Some(Self::Killed(child)),
                Ok(Some(_)) | Err(_) => Self::Unread(child.into_reader()).advance(),
            },
            Self::Unread(reader) => (!reader.has_ended()).then_some(Self::Unread(reader)),
        }
    }

    /// Kills a command.
    pub(super) fn kill(mut child: Child) -> Self {
        child.kill();
        Self::Killed(child)
    }

    /// Its process, while there is one.
    pub(super) fn child(&self) -> Option<&Child> {
        match self {
            Self::Starting(_) | Self::Unread(_) => None,
            Self::Killed(child) => Some(child),
        }
    }
}
