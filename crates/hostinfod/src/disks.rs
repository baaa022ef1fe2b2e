//! Metrics disks: a file for each guest whose rule says `vhostmd-disk = 1`. QEMU presents it to the
//! guest as a read-only disk. See `docs/vhostmd.md`.
//!
//! They are written in threads: whoever reads a file with `O_DIRECT` can have the kernel keep everybody from writing it
//! for as long as they like.

mod file;
mod work;

use std::fs::read_dir;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use hostinfo_answer::Name;
use hostinfo_domains::DISK_DIR;
use hostinfo_file::aside::Signal;
use hostinfo_render::vhostmd::EMPTY;

use crate::system::file_error::FileError;
use file::Open;
pub(crate) use work::{Failure, Held};
use work::{Task, Work};

/// How many disks are written at once. If each of these waits for somebody who reads it, the others wait as well, but
/// nothing else does. `TasksMax=` of the daemon's unit has room for these threads.
const THREADS_MAX: usize = 8;

/// Enough for a thread that opens and writes files. Documents are not on the stack.
const STACK: usize = 128 * 1024;

/// How long the daemon waits for disks that are being written, before it ends or another program goes on.
const ENDED_WITHIN: Duration = Duration::from_secs(1);

/// Disks, and the threads that write them.
pub(crate) struct Disks {
    directory: PathBuf,
    shared: Arc<Shared>,
}

/// Writes a document to a file that is open or is to be opened.
type Write = dyn Fn(Option<Open>, &Path, &str) -> Result<Open, FileError> + Send + Sync;

struct Shared {
    work: Mutex<Work>,
    /// One of the threads has ended.
    ended: Condvar,
    /// Readable when a disk could not be written.
    failed: Signal,
    write: Box<Write>,
}

impl Disks {
    /// The disks beside the sockets.
    ///
    /// # Errors
    /// No descriptor is free.
    pub(crate) fn beside(sockets: &Path) -> io::Result<Self> {
        Self::written_by(sockets, Box::new(file::write))
    }

    fn written_by(sockets: &Path, write: Box<Write>) -> io::Result<Self> {
        let (work, ended, failed) = (Mutex::default(), Condvar::new(), Signal::new()?);
        let shared = Arc::new(Shared { work, ended, failed, write });
        Ok(Self { directory: sockets.join(DISK_DIR), shared })
    }

    /// At the start: empties the existing files until they are written again, since their guests' rules may have
    /// changed, and a busy flag left by a crash would keep a reader waiting; but not those of guests that go on.
    pub(crate) fn clear_all_but(&self, goes_on: impl Fn(&str) -> bool) {
        let before = read_dir(&self.directory).into_iter().flatten().flatten();
        for name in before.filter_map(|entry| entry.file_name().into_string().ok()) {
            if let Some(name) = Name::parse(&name).filter(|name| !goes_on(name.whole())) {
                self.clear(&name);
            }
        }
    }

    /// Creates a guest's disk if there is none, so that it exists when the guest starts.
    pub(crate) fn make(&self, name: &Name) {
        let mut work = self.shared.lock();
        if !work.slots.contains_key(name.whole()) && !self.directory.join(name.whole()).exists() {
            work.ask(name, Task::Make);
        }
    }

    /// Empties a guest's disk. The file remains, because a domain does not start without it.
    pub(crate) fn clear(&self, name: &Name) {
        let mut work = self.shared.lock();
        if work.slots.contains_key(name.whole()) || self.directory.join(name.whole()).exists() {
            work.ask(name, Task::Clear);
        }
    }

    /// Writes a document to a guest's disk, and creates the disk if there is none.
    pub(crate) fn write(&self, name: &Name, document: String) {
        self.shared.lock().ask(name, Task::Write(document));
    }

    /// Starts threads for what is to be done. To be called in each round of the loop, and not before the process has
    /// confined itself, since Landlock confines only the thread that asks for it. Returns when [`Disks::take_held`] is to be
    /// called, if that is not to be before the next round.
    pub(crate) fn go_on(&self) -> Option<Instant> {
        let mut work = self.shared.lock();
        self.start_threads(&mut work);
        work.look_at()
    }

    fn start_threads(&self, work: &mut Work) {
        for _ in 0..work.waiting.len().min(THREADS_MAX - work.threads) {
            let (shared, directory) = (self.shared.clone(), self.directory.clone());
            let thread = thread::Builder::new().name("disk".to_owned()).stack_size(STACK);
            if thread.spawn(move || shared.run(&directory)).is_err() {
                return;
            }
            work.threads += 1;
        }
    }

    /// Waits up to [`ENDED_WITHIN`] until nothing is being written. A process that ends, or executes another program,
    /// would leave a disk half written, or wait in the kernel for as long as the thread does.
    ///
    /// # Errors
    /// A disk is still being written: why, and the remedy.
    pub(crate) fn finish(&self) -> Result<(), String> {
        self.start_threads(&mut self.shared.lock());
        let is_busy = |work: &mut Work| work.threads > 0;
        let (work, ended) = (self.shared.lock(), &self.shared.ended);
        let waited = ended.wait_timeout_while(work, ENDED_WITHIN, is_busy);
        let (work, result) = waited.unwrap_or_else(PoisonError::into_inner);
        if !result.timed_out() {
            return Ok(());
        }
        let mut slots = work.slots.iter().filter(|(_, slot)| slot.writing.is_some());
        let path = self.directory.join(slots.next().map_or("", |(name, _)| name));
        let path = path.display();
        Err(format!("{path} cannot be written while a process reads it: end that process"))
    }

    /// Disks whose writing has been held up for seconds: each once, and once more if it is to be cleared since then.
    pub(crate) fn take_held(&self, now: Instant) -> Vec<Held> {
        self.shared.lock().take_held(now)
    }

    /// Readable when there are failures to take.
    pub(crate) fn failed(&self) -> &Signal {
        &self.shared.failed
    }

    /// What could not be done since this was last asked.
    pub(crate) fn take_failures(&self) -> Vec<Failure> {
        let mut work = self.shared.lock();
        self.shared.failed.clear();
        std::mem::take(&mut work.failures)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, directory: &Path) {
        loop {
            let Some((name, open, task)) = self.lock().take() else { break };
            let document = match &task {
                Task::Write(document) => document,
                Task::Make | Task::Clear => EMPTY,
            };
            let written = (self.write)(open, &directory.join(&*name), document);
            let mut work = self.lock();
            let open = match written {
                Ok(open) => matches!(task, Task::Write(_)).then_some(open),
                Err(error) => {
                    let shows_too_much = matches!(task, Task::Clear);
                    work.failures.push(Failure { guest: name.clone(), error, shows_too_much });
                    self.failed.tell();
                    None
                }
            };
            work.put_back(name, open);
        }
        self.ended.notify_all();
    }
}

#[cfg(test)]
pub(crate) mod tests;
