//! The command lines of guests' VMMs.
//!
//! The kernel lets nobody read one while its process changes what memory it has mapped (mmap_lock). A process that was
//! taken over can draw that out for as long as it likes: to protect a terabyte that is mapped takes a minute. So a thread
//! reads, and the daemon does not wait for it for long.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::{Duration, Instant};

use hostinfo_answer::Peer;

use super::peer::read;

/// The most that is read of a command line: one of libvirt's with 100 disks has 60 KiB.
const LENGTH_MAX: usize = 256 * 1024;

/// How long to wait for one: a thousand times what it takes, for a host whose CPUs are all busy.
const PATIENCE: Duration = Duration::from_millis(100);

/// What is waited for a guest's command lines is at most one part in so many of the time, in the long run.
const SHARE: u32 = 600;

/// How far ahead of its share it may be when one more is read: 50 ms of waiting. Usually a command line takes 0.05 ms, and
/// on a busy host 10 ms.
const AHEAD: Duration = Duration::from_secs(30);

/// Threads that read at the same time. While all of them wait for the kernel, no other command line is read. Only a process
/// that means harm takes that long. The unit has room for 32 processes and threads (`TasksMax=`).
const THREADS_MAX: usize = 8;

/// A thread only reads.
const STACK: usize = 64 * 1024;

/// Reads the command lines of the processes that are one guest.
#[derive(Debug, Default)]
pub(crate) struct CommandLines {
    /// When [`SHARE`] times of what was waited are over.
    even: Option<Instant>,
}

impl CommandLines {
    /// Whether nothing was waited lately.
    pub(crate) fn is_even(&self, now: Instant) -> bool {
        self.even.is_none_or(|even| even <= now)
    }

    /// Whether one may be waited for.
    fn may_wait(&self, now: Instant) -> bool {
        self.even.is_none_or(|even| even.saturating_duration_since(now) <= AHEAD)
    }

    fn waited(&mut self, time: Duration, now: Instant) {
        let even = self.even.unwrap_or(now).max(now);
        self.even = even.checked_add(time.min(PATIENCE) * SHARE);
    }

    /// The command line of a process; `None` if it cannot be read, or not soon.
    pub(crate) fn read(&mut self, peer: Peer, proc: &Path, now: Instant) -> Option<Vec<u8>> {
        if !self.may_wait(now) {
            return None;
        }
        let reader = Reader::begin()?;
        let (told, heard) = sync_channel(1);
        let proc = PathBuf::from(proc);
        let run = move || {
            let line = read(peer.pid, "cmdline", LENGTH_MAX, &proc).ok();
            drop(reader);
            // Nobody hears it any more if it took too long.
            let _ = told.send(line);
        };
        let begun = Instant::now();
        thread::Builder::new().name("cmdline".to_owned()).stack_size(STACK).spawn(run).ok()?;
        let line = heard.recv_timeout(PATIENCE).ok().flatten();
        self.waited(begun.elapsed(), now);
        line
    }
}

/// One of the threads, from before it starts until it has read.
struct Reader;

static READERS: AtomicUsize = AtomicUsize::new(0);

impl Reader {
    fn begin() -> Option<Self> {
        let reader = Self;
        (READERS.fetch_add(1, Ordering::Relaxed) < THREADS_MAX).then_some(reader)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        READERS.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The address on the command line of a QEMU, as `/proc/PID/cmdline` has it: proc(5).
///
/// `...\0-device\0vhost-vsock-pci,id=vsock0,guest-cid=3\0...`, or `{"driver":"vhost-vsock-pci","guest-cid":3}`
pub(crate) fn cid(cmdline: &[u8]) -> Option<u32> {
    let mut found = None;
    for argument in cmdline.split(|byte| *byte == 0) {
        let Ok(argument) = std::str::from_utf8(argument) else { continue };
        if !argument.contains("vsock") {
            continue;
        }
        let Some((_, value)) = argument.split_once("guest-cid") else { continue };
        let digits = value.trim_start_matches(['"', ':', '=', ' ']);
        let digits = digits.split(|c: char| !c.is_ascii_digit()).next()?;
        // Two devices: it is not known which one the kernel has.
        if found.replace(digits.parse().ok()?).is_some() {
            return None;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    #[test]
    fn a_process_that_lets_nobody_read_its_command_line_is_waited_for_once_in_a_minute() {
        let proc = tempfile::tempdir().unwrap();
        let process = proc.path().join("7");
        std::fs::create_dir(&process).unwrap();
        // Whoever opens it waits, as in the kernel.
        mknodat(CWD, process.join("cmdline"), FileType::Fifo, Mode::RUSR, 0).unwrap();
        let (mut lines, start) = (CommandLines::default(), Instant::now());
        let read = |lines: &mut CommandLines, after: u64| {
            let (begun, now) = (Instant::now(), start + Duration::from_secs(after));
            assert_eq!(lines.read(Peer { pid: 7, start: None }, proc.path(), now), None);
            begun.elapsed() >= PATIENCE
        };
        let waited: Vec<u64> = (0..125).filter(|after| read(&mut lines, *after)).collect();
        assert_eq!(waited, [0, 30, 90]);
        let mut others = (0..125).map(|_| CommandLines::default());
        let waited = others.by_ref().filter_map(|mut other| read(&mut other, 0).then_some(()));
        assert_eq!(waited.count(), THREADS_MAX - 3, "no more threads are started");
    }

    #[test]
    fn short_waits_count_as_long_ones_do() {
        let start = Instant::now();
        for wait in [1, 10, 95, 100].map(Duration::from_millis) {
            let (mut lines, mut all) = (CommandLines::default(), Duration::ZERO);
            for tenth in 0..36_000 {
                let now = start + tenth * Duration::from_millis(100);
                if lines.may_wait(now) {
                    lines.waited(wait, now);
                    all += wait;
                }
            }
            // An hour's 600th, and what may be ahead.
            assert!(all <= Duration::from_secs(6) + PATIENCE * 2, "{wait:?}: {all:?}");
            assert!(all >= Duration::from_secs(5), "{wait:?}: {all:?}");
        }
    }

    #[test]
    fn the_command_line_of_a_process_is_read() {
        let pid = std::process::id().cast_signed();
        let peer = Peer { pid, start: None };
        let line = CommandLines::default().read(peer, Path::new("/proc"), Instant::now()).unwrap();
        assert!(line.ends_with(b"\0") && line.len() > 1);
    }

    #[test]
    fn a_command_line_has_one_address_or_none() {
        for (line, expected) in [
            ("qemu\0-device\0vhost-vsock-pci,id=v,guest-cid=42\0-m\0x\0", Some(42)),
            (
                "qemu\0-device\0{\"driver\":\"vhost-vsock-pci\",\"guest-cid\":7,\"id\":\"v\"}\0",
                Some(7),
            ),
            ("qemu\0-name\0guest-cid=5\0", None),
            (
                "qemu\0-device\0vhost-vsock-pci,guest-cid=1\0-device\0vhost-vsock-pci,guest-cid=2",
                None,
            ),
            ("qemu\0-device\0vhost-vsock-pci,guest-cid=99999999999", None),
            ("qemu\0-device\0vhost-vsock-pci,guest-cid=", None),
            ("", None),
        ] {
            assert_eq!(cid(line.as_bytes()), expected, "{line:?}");
        }
    }

    proptest! {
        #[test]
        fn any_command_line_is_read(bytes: Vec<u8>, rest in "(vsock,guest-cid=)?\\PC{0,20}") {
            let _ = cid(&bytes);
            let _ = cid(rest.as_bytes());
        }
    }
}
