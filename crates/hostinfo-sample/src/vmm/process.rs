//! The process at the other end of a guest's socket, identified with `/proc/PID/stat`.
//!
//! The number of a process that ended is used again, but not together with the same start time. A reading
//! counts only if `stat` still has the same start afterwards: the number then belonged to the process the whole
//! time.

use std::cell::Cell;
use std::path::PathBuf;
use std::time::Duration;

use itoa::Buffer as Number;

use crate::open_files::Reader;
use crate::root::{LINE_BYTES, Unread};
use crate::text::{millionths, words};
use crate::vmm::process_stat::{Stat, parse};
use crate::{Absent, Units};

pub(crate) const ENDED: Absent = Absent::plain("this guest's VMM has ended");

/// The daemon cannot see the process, or would see another one under its number.
pub(crate) const UNSEEN: Absent = Absent::new(
    "hostinfod cannot see this guest's VMM",
    "run hostinfod in the host's own PID namespace and with its /proc; where that is mounted with \
     hidepid=, put hostinfod into the group that gid= names",
);

/// A socket outlives the process that listened at it if another one has inherited it. The kernel does not name
/// that one, and the number of the first may by now be anybody's, even another guest's VMM's.
pub(crate) const HANDED_ON: Absent = Absent::new(
    "the process that listened at this guest's socket has ended",
    "let the VMM itself listen at the socket, and run as long as its guest does",
);

const UNTOLD: Absent = Absent::untold_of_guest("/proc/PID/stat lacks a figure");

/// A process: its number and when it started.
#[derive(Clone)]
pub(crate) struct Process {
    pub(crate) roots: Reader,
    pub(crate) units: Units,
    pid: i32,
    /// In clock ticks since boot. `None` until the process was first seen.
    start: Option<u64>,
    /// The process that started it, as last seen.
    pub(crate) parent: Option<u64>,
    /// [`Reader::opened`] when the process was last seen.
    seen: Option<u64>,
    /// Whose numbers `/proc` uses, once they are known to be those that sockets have.
    numbers: Option<Numbers>,
    /// The second VMM that was last found in its cgroups.
    pub(crate) second_vmm: Cell<Option<u64>>,
}

/// Where process numbers come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Numbers {
    /// From this program's PID namespace.
    Own,
    /// From a host whose files were captured.
    Captured,
}

impl Process {
    pub(crate) fn new(roots: Reader, units: Units, pid: i32, start: Option<u64>) -> Self {
        Self {
            roots,
            units,
            pid,
            start,
            parent: None,
            seen: None,
            numbers: None,
            second_vmm: Cell::default(),
        }
    }

    /// No process: whoever reads it finds nothing.
    pub(crate) fn nobody() -> Self {
        Self::new(Reader::default(), Units::default(), 0, None)
    }

    pub(crate) fn pid(&self) -> i32 {
        self.pid
    }

    /// Where its threads are listed.
    pub(crate) fn threads(&self) -> PathBuf {
        self.roots.proc.join(format!("{}/task", self.pid))
    }

    /// Reads one of its files. By now the file may be another process's: see [`Self::check`].
    pub(crate) fn read<'b>(
        &self,
        file: &str,
        bound: usize,
        buffer: &'b mut Vec<u8>,
    ) -> Result<&'b [u8], Unread> {
        self.roots.kept(&[Number::new().format(self.pid), "/", file], bound, buffer)
    }

    /// Reads one of its threads' files, with the same caveat.
    pub(crate) fn read_thread<'b>(
        &self,
        tid: u32,
        file: &str,
        buffer: &'b mut Vec<u8>,
    ) -> Result<&'b [u8], Unread> {
        let (mut pid, mut thread) = (Number::new(), Number::new());
        let file = [pid.format(self.pid), "/task/", thread.format(tid), "/", file];
        self.roots.kept(&file, LINE_BYTES, buffer)
    }

    /// The name of one of its threads, with the same caveat.
    pub(crate) fn read_name<'b>(
        &self,
        tid: u32,
        buffer: &'b mut Vec<u8>,
    ) -> Result<&'b [u8], Unread> {
        let (mut pid, mut thread) = (Number::new(), Number::new());
        let file = [pid.format(self.pid), "/task/", thread.format(tid), "/comm"];
        self.roots.once(&file, LINE_BYTES, buffer)
    }

    /// Whether the thread exists, whether or not its files can be read.
    pub(crate) fn has_thread(&self, tid: u32) -> bool {
        self.threads().join(format!("{tid}/comm")).exists()
    }

    /// Another process's file.
    pub(crate) fn read_other<'b>(
        &self,
        pid: u64,
        file: &str,
        bound: usize,
        buffer: &'b mut Vec<u8>,
    ) -> Result<&'b [u8], Unread> {
        self.roots.proc(&format!("{pid}/{file}"), bound, buffer)
    }

    /// How long ago it started. `None` if that is not known.
    pub(crate) fn age(&self, buffer: &mut Vec<u8>) -> Option<Duration> {
        let text = self.roots.proc("uptime", LINE_BYTES, buffer).ok()?;
        let up = Duration::from_micros(words(text).next().and_then(millionths)?);
        let per_second = self.units.ticks_per_second.max(1);
        Some(
            up.saturating_sub(Duration::from_millis(self.start?.saturating_mul(1000) / per_second)),
        )
    }

    /// The contents of `stat`, if it still belongs to this process. Sets the start if that is not known yet.
    pub(crate) fn stat<'b>(&mut self, buffer: &'b mut Vec<u8>) -> Result<Stat<'b>, Absent> {
        if !self.check_numbers() {
            return Err(UNSEEN);
        }
        let text = match self.read("stat", LINE_BYTES, buffer) {
            Ok(text) => text,
            Err(unread) if unread.is_not_there() && self.start.is_some() => return Err(ENDED),
            Err(unread) => return Err(UNSEEN.because(&unread)),
        };
        let stat = parse(text).ok_or(UNTOLD)?;
        let is_same = self.start.is_none_or(|start| start == stat.start);
        if !is_same || stat.is_dead() {
            return Err(ENDED);
        }
        (self.start, self.parent) = (Some(stat.start), stat.parent);
        self.seen = Some(self.roots.opened());
        Ok(stat)
    }

    /// Returns what was `read`, if it was this process's. Files that were open when the process was last seen
    /// are certainly its own: the kernel returns nothing from those of a process that ended.
    pub(crate) fn check<T>(&mut self, read: T, buffer: &mut Vec<u8>) -> Result<T, Absent> {
        if self.seen == Some(self.roots.opened()) || self.is_still_there(buffer) {
            return Ok(read);
        }
        self.stat(buffer).map(|_| read)
    }

    /// Whether its first thread is certainly still the same: the thread's `stat` has the process's start too,
    /// and for that file the kernel need not add up all threads, which takes 0.25 ms for 4,096.
    fn is_still_there(&mut self, buffer: &mut Vec<u8>) -> bool {
        let Some(tid) = u32::try_from(self.pid).ok().filter(|_| self.check_numbers()) else {
            return false;
        };
        let stat = self.read_thread(tid, "stat", buffer).ok().and_then(parse);
        let is_there = stat.is_some_and(|stat| Some(stat.start) == self.start && !stat.is_dead());
        if is_there {
            self.seen = Some(self.roots.opened());
        }
        is_there
    }

    /// Whether system calls know its threads by the numbers that they have in `/proc`; not before the process
    /// was seen.
    pub(crate) fn has_own_numbers(&self) -> bool {
        self.numbers == Some(Numbers::Own)
    }

    /// Whether `/proc` uses the same process numbers as sockets do: in a container, it may be the host's. If it
    /// once did, it always does.
    fn check_numbers(&mut self) -> bool {
        self.numbers = self.numbers.or_else(|| {
            // A captured host has no such link.
            let Ok(link) = std::fs::read_link(self.roots.proc.join("self")) else {
                return Some(Numbers::Captured);
            };
            let number = link.to_str().and_then(|link| link.parse().ok());
            (number == Some(std::process::id())).then_some(Numbers::Own)
        });
        self.numbers.is_some()
    }
}
