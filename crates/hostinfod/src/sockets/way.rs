//! The way to a guest's own directory in a place of `[[sockets]]` or `[[listen]]`.

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use hostinfo_open::SocketPattern;
use rustix::fs::{CWD, Mode, OFlags, openat};

/// A directory, to look into it by its descriptor.
const DIRECTORY: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// From the directory of a place down to the one in which a guest's socket is.
#[derive(Debug)]
pub(crate) struct Way {
    /// Up to there, links are the administrator's affair.
    base: PathBuf,
    /// Directories of the guest's own.
    steps: Vec<String>,
}

/// Why it does not lead further.
#[derive(Debug)]
pub(crate) struct Obstacle {
    /// What cannot be entered or watched.
    pub(crate) at: PathBuf,
    /// 0 for the directory of the place, 1 for the guest's own, and so on.
    pub(crate) depth: usize,
    pub(crate) error: io::Error,
}

impl Way {
    /// To that guest's.
    pub(crate) fn new(pattern: &SocketPattern, name: &str) -> Self {
        let mut steps = pattern.segments(name);
        // The socket.
        steps.pop();
        Self { base: pattern.directory().to_owned(), steps }
    }

    /// Goes down, and has each of the guest's directories watched before it looks for the next one. It follows no symbolic
    /// link, which could lead to another guest's.
    ///
    /// # Errors
    /// Something is in the way.
    pub(crate) fn descend(
        self,
        watch: impl Fn(&OwnedFd) -> io::Result<()>,
    ) -> Result<OwnedFd, Obstacle> {
        let mut at = self.base;
        let mut here = match openat(CWD, &at, DIRECTORY, Mode::empty()) {
            Ok(base) => base,
            Err(error) => return Err(Obstacle { at, depth: 0, error: error.into() }),
        };
        for (depth, step) in (1..).zip(self.steps) {
            at.push(&step);
            let entered = openat(&here, step, DIRECTORY | OFlags::NOFOLLOW, Mode::empty());
            let watched = entered.map_err(io::Error::from).and_then(|entered| {
                watch(&entered)?;
                Ok(entered)
            });
            here = match watched {
                Ok(entered) => entered,
                Err(error) => return Err(Obstacle { at, depth, error }),
            };
        }
        Ok(here)
    }
}
