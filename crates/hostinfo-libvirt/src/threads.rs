//! This program's threads. All start before it talks to libvirt, and afterwards none can be started: whoever takes it over
//! does not use up the threads that the daemon's unit permits.

use std::io;
use std::thread;

use crate::confinement::start_no_threads;

/// Starts threads.
pub(crate) struct Threads {
    /// Whether seccomp keeps each of them from starting others.
    pub(crate) is_filtered: bool,
}

impl Threads {
    /// Starts a thread that starts none itself.
    ///
    /// # Errors
    /// The kernel or the unit permits no more.
    pub(crate) fn start(&self, name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let is_filtered = self.is_filtered;
        let confined = move || {
            Self { is_filtered }.start_no_more();
            work();
        };
        thread::Builder::new().name(name.to_owned()).spawn(confined).map(drop)
    }

    /// Nor does this thread start any from now on.
    pub(crate) fn start_no_more(self) {
        if self.is_filtered
            && let Err(error) = start_no_threads()
        {
            eprintln!("hostinfo-libvirt is not kept from starting threads: {error}");
        }
    }
}
