//! What a command has printed. A thread reads it: whoever has the other end of a pipe can keep everybody from reading and
//! from closing it, also after the command has ended.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::process::{ChildStderr, ChildStdout};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::thread;
use std::time::Duration;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use crate::limits::{EXCERPT_MAX, OUTPUT_MAX};

/// What was in its pipes when it was killed.
#[derive(Default)]
pub(super) struct Printed {
    /// Up to one byte more than [`OUTPUT_MAX`].
    pub(super) output: Vec<u8>,
    /// The beginning of its standard error.
    pub(super) errors: Vec<u8>,
}

/// The pipes that its output and its standard error come from.
type Pipes = (Option<ChildStdout>, Option<ChildStderr>);

/// A thread for one command. It is there before the command, which could otherwise keep it from being started.
pub(super) struct Reader {
    give: Sender<Pipes>,
    printed: Receiver<Printed>,
}

impl Reader {
    /// # Errors
    /// There is no thread.
    pub(super) fn begin() -> io::Result<Self> {
        let ((give, given), (bring, printed)) = (channel::<Pipes>(), channel());
        thread::Builder::new().spawn(move || {
            let Ok((output, errors)) = given.recv() else { return };
            let (output, errors) = (drain(output, OUTPUT_MAX), drain(errors, EXCERPT_MAX));
            drop(bring.send(Printed { output, errors }));
        })?;
        Ok(Self { give, printed })
    }

    /// Has these read and closed.
    pub(super) fn read(&self, pipes: Pipes) {
        drop(self.give.send(pipes));
    }

    /// What was in them; `None` if that takes longer than `patience`.
    pub(super) fn take(&self, patience: Duration) -> Option<Printed> {
        match self.printed.recv_timeout(patience) {
            Ok(printed) => Some(printed),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Printed::default()),
        }
    }

    /// Whether they are closed.
    pub(super) fn has_ended(&self) -> bool {
        !matches!(self.printed.try_recv(), Err(TryRecvError::Empty))
    }
}

/// Reads what is in a pipe, up to one byte more than `bound`, and closes it. Others may keep its other end open forever.
fn drain(pipe: Option<impl Read + AsFd>, bound: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe
        && fcntl_getfl(&pipe).and_then(|now| fcntl_setfl(&pipe, now | OFlags::NONBLOCK)).is_ok()
    {
        // "No more data yet" is an error that keeps what was read so far.
        let _ = pipe.take(bound as u64 + 1).read_to_end(&mut bytes);
    }
    bytes
}
