//! The process at the other end of a guest's socket, identified with `/proc/PID/stat`.
//!
//! The number of a process that ended is used again, but not together with the same start time. A reading
//! counts only if `stat` still has the same start afterwards: the number then belonged to the process the whole
//! time.

use std::cell::{Cell, OnceCell};
use std::path::PathBuf;
use std::time::Duration;

use memchr::{memchr, memmem, memrchr};

use crate::open_files::Reader;
use crate::root::{LINE_BYTES, PAGE_BYTES, Unread};
use crate::text::{millionths, number, words};
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
    /// Whether libvirt started it, once that was checked.
    is_libvirts: OnceCell<bool>,
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
            is_libvirts: OnceCell::new(),
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
        self.roots.kept(format_args!("{}/{file}", self.pid), bound, buffer)
    }

    /// Reads one of its threads' files, with the same caveat.
    pub(crate) fn read_thread<'b>(
        &self,
        tid: u32,
        file: &str,
        buffer: &'b mut Vec<u8>,
    ) -> Result<&'b [u8], Unread> {
        self.roots.kept(format_args!("{}/task/{tid}/{file}", self.pid), LINE_BYTES, buffer)
    }

    /// The name of one of its threads, with the same caveat.
    pub(crate) fn read_name<'b>(
        &self,
        tid: u32,
        buffer: &'b mut Vec<u8>,
    ) -> Result<&'b [u8], Unread> {
        self.roots.once(format_args!("{}/task/{tid}/comm", self.pid), LINE_BYTES, buffer)
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

    /// The beginning of the `stat` of the second VMM that was last found: it is looked at again and again.
    pub(crate) fn read_second<'b>(
        &self,
        pid: u64,
        buffer: &'b mut Vec<u8>,
    ) -> Result<&'b [u8], Unread> {
        self.roots.kept(format_args!("{pid}/stat"), LINE_BYTES, buffer)
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

    /// Whether libvirt started it: all versions of libvirt give QEMU a monitor of this name.
    pub(crate) fn is_libvirts(&self, buffer: &mut Vec<u8>) -> bool {
        const MONITOR: &[u8] = b"chardev=charmonitor";
        *self.is_libvirts.get_or_init(|| {
            let head = self.roots.proc_head(&format!("{}/cmdline", self.pid), PAGE_BYTES, buffer);
            head.is_ok_and(|line| memmem::find(line, MONITOR).is_some())
        })
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

/// Some fields of `/proc/PID/stat` or `/proc/PID/task/TID/stat`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stat<'a> {
    pub(crate) comm: &'a [u8],
    state: u8,
    pub(crate) parent: Option<u64>,
    flags: Option<u64>,
    /// For a process: the sum over all its threads, including those that ended.
    pub(crate) major_faults: Option<u64>,
    /// How many threads it has.
    pub(crate) threads: Option<u64>,
    pub(crate) start: u64,
    /// The CPU that it last ran on.
    pub(crate) processor: Option<u32>,
}

impl Stat<'_> {
    /// Whether it is a kernel thread: `PF_KTHREAD` in Linux's `sched.h`.
    pub(crate) fn is_kernels(&self) -> bool {
        const PF_KTHREAD: u64 = 0x0020_0000;
        self.flags.is_some_and(|flags| flags & PF_KTHREAD != 0)
    }

    /// A process whose exit status its parent has not collected is dead (Z, X), and its memory is gone.
    pub(crate) fn is_dead(&self) -> bool {
        matches!(self.state, b'Z' | b'X' | b'x')
    }
}

/// ```text
/// 4242 (CPU 0/KVM (x)) S 1 4242 4242 0 -1 138412416 4703 0 36 0 0 2 0 0 20 0 6 0 458372 ...
/// ```
///
/// Fields 2, 3, 4, 9, 12, 20, 22 and 39 of proc(5). The name in field 2 may contain blanks and brackets.
pub(crate) fn parse(text: &[u8]) -> Option<Stat<'_>> {
    let open = memchr(b'(', text)?;
    let close = memrchr(b')', text)?;
    let comm = text.get(open.checked_add(1)?..close)?;
    let mut fields = words(text.get(close.checked_add(1)?..)?);
    let state = *fields.next()?.first()?;
    let parent = fields.next().and_then(number);
    let flags = fields.nth(4).and_then(number);
    let major_faults = fields.nth(2).and_then(number);
    let threads = fields.nth(7).and_then(number);
    let start = number(fields.nth(1)?)?;
    let processor = fields.nth(16).and_then(number).and_then(|cpu| cpu.try_into().ok());
    Some(Stat { comm, state, parent, flags, major_faults, threads, start, processor })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Linux 6.18.
    const QEMU: &str = "23315 (qemu-system-x86) S 23313 23313 20687 0 -1 138412416 4703 0 36 0 0 \
        2 0 0 20 0 6 0 458372 1592152064 9201 18446744073709551615 94678249136128 94678254996565 \
        140727892131680 0 0 0 268444224 4096 16451 0 0 0 17 1 0 0 0 0 0 94678258108664 \
        94678263312816 94678328553472 140727892138507 140727892138723 140727892138723 \
        140727892139996 0\n";
    /// Linux 3.10.
    const OLD: &str = "7 (CPU 0/KVM (x)) S 1 7 7 0 -1 4202816 9 0 5 0 6 7 0 0 20 0 3 0 1234 1 2 3";

    #[test]
    fn fields_are_counted_from_behind_the_name() {
        let stat = parse(QEMU.as_bytes()).unwrap();
        let wanted = Stat {
            comm: b"qemu-system-x86",
            state: b'S',
            parent: Some(23_313),
            flags: Some(138_412_416),
            major_faults: Some(36),
            threads: Some(6),
            start: 458_372,
            processor: Some(1),
        };
        assert_eq!(stat, wanted);
        let stat = parse(OLD.as_bytes()).unwrap();
        assert_eq!((stat.comm, stat.start), (&b"CPU 0/KVM (x)"[..], 1234));
        assert_eq!((stat.major_faults, stat.processor), (Some(5), None));
    }

    #[test]
    fn a_kernel_thread_is_told_from_a_process_by_its_flags_and_not_by_its_name() {
        // Linux 6.1, where kernel threads may have names of more than 15 bytes.
        let text = "519 (kvm-nx-lpage-recovery-513) S 2 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 \
                    8448 0 0";
        assert!(parse(text.as_bytes()).unwrap().is_kernels());
        let text = text.replace("2129984", "138412416");
        assert!(!parse(text.as_bytes()).unwrap().is_kernels());
    }

    #[test]
    fn a_stat_file_without_a_start_time_is_no_process() {
        for text in ["", "1 (a", ")(", "1 (a)", "1 (a) S 1 2", "1 () S 1 1 1 1 1 1 1 1 1 1 1 1 1"] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(parse(QEMU.replace(" 458372 ", " -1 ").as_bytes()), None);
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_answer(bytes: Vec<u8>, text in "[0-9]{0,3} ?[()a-z ]{0,8}( [0-9-]{1,3}){0,50}") {
            parse(&bytes);
            parse(text.as_bytes());
        }
    }
}
