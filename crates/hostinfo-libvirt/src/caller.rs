//! A thread that makes calls to libvirt, over a connection of its own: over one, libvirtd works on only a few calls at a
//! time. Whoever waits for a call can give it up.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use virt::connect::Connect;

use crate::threads::Threads;

/// One call, which sends away what it brings.
type Call = Box<dyn FnOnce(&Connect) + Send>;

/// The thread.
pub(crate) struct Caller {
    calls: Sender<Call>,
    ended: Receiver<()>,
    is_busy: bool,
}

impl Caller {
    /// Starts it. It connects to the libvirt at that URI when it has something to ask.
    ///
    /// # Errors
    /// No thread can be started.
    pub(crate) fn start(uri: String, threads: &Threads) -> io::Result<Self> {
        let (calls, to_make) = channel::<Call>();
        let (end, ended) = channel();
        threads.start("calls", move || {
            let mut connected: Option<Connect> = None;
            for call in to_make {
                connected = connected.filter(|connect| connect.is_alive().unwrap_or_default());
                if connected.is_none() {
                    connected = Connect::open_read_only(Some(&uri)).ok();
                }
                if let Some(connect) = &connected {
                    call(connect);
                }
                if end.send(()).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { calls, ended, is_busy: false })
    }

    /// Whether a call that was given up has not returned yet.
    pub(crate) fn is_busy(&mut self) -> bool {
        self.is_busy = self.is_busy && self.ended.try_recv().is_err();
        self.is_busy
    }

    /// Makes a call, and waits for it, without end if there is no `patience`. What it brings is `None` if libvirt cannot be
    /// asked: the main thread's connection then shows why.
    ///
    /// # Errors
    /// It has not returned in time, or the one before has not.
    pub(crate) fn call<T: Send + 'static>(
        &mut self,
        call: impl FnOnce(&Connect) -> T + Send + 'static,
        patience: Option<Duration>,
    ) -> Result<Option<T>, GivenUp> {
        if self.is_busy() {
            return Err(GivenUp);
        }
        let (bring, brought) = channel();
        let call = move |connect: &Connect| {
            // Nobody waits for it any more if it was given up.
            let _ = bring.send(call(connect));
        };
        // A thread that has ended makes no call, and what it would bring is missing.
        self.is_busy = self.calls.send(Box::new(call)).is_ok();
        let has_ended = match patience {
            _ if !self.is_busy => true,
            Some(patience) => self.ended.recv_timeout(patience).is_ok(),
            None => self.ended.recv().is_ok(),
        };
        if !has_ended {
            return Err(GivenUp);
        }
        self.is_busy = false;
        Ok(brought.try_recv().ok())
    }
}

/// A call that has not returned in time.
#[derive(Debug)]
pub(crate) struct GivenUp;

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn a_thread_whose_call_was_given_up_makes_the_next_one_when_that_has_returned() {
        let threads = Threads { is_filtered: false };
        // The library's own libvirt, which needs no other process.
        let mut caller = Caller::start("test:///default".to_owned(), &threads).unwrap();
        let (let_go, held) = channel::<()>();
        let patience = Some(Duration::from_secs(60));
        assert!(caller.call(move |_| held.recv(), Some(Duration::from_millis(10))).is_err());
        assert!(caller.is_busy() && caller.call(|_| 7, patience).is_err());
        let_go.send(()).unwrap();
        let begun = Instant::now();
        while caller.is_busy() {
            assert!(begun.elapsed() < Duration::from_secs(60));
        }
        assert_eq!(caller.call(|_| 7, patience).unwrap(), Some(7));
    }

    #[test]
    fn where_libvirt_cannot_be_reached_a_call_brings_nothing() {
        let threads = Threads { is_filtered: false };
        let mut caller = Caller::start("test:///nowhere".to_owned(), &threads).unwrap();
        assert_eq!(caller.call(|_| 7, None).unwrap(), None);
        assert!(!caller.is_busy());
    }
}
