//! Standard error as the log's destination: a line that cannot be written at once is left out.

use std::io::{self, Stderr, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::SendFlags;

use crate::logging::left_out::LeftOut;

/// If only the beginning of a line was written, this much of the rest is kept: the size of a pipe's
/// buffer.
const REST_MAX: usize = 64 * 1024;

/// A pipe that is writable takes this much at once: PIPE_BUF of pipe(7).
const PIECE: usize = 4096;

/// The destination of lines.
pub(super) struct Lines<F> {
    fd: F,
    mode: WriteMode,
    /// The rest of a line whose beginning was written.
    rest: Vec<u8>,
    left_out: LeftOut,
}

/// How to write without blocking. O_NONBLOCK cannot be set on the descriptor itself, because it
/// would also affect other processes that share the open file. So the file is opened anew, if
/// possible, with that flag.
enum WriteMode {
    /// A regular file, which does not block.
    Plain,
    /// The file, opened anew.
    Reopened(OwnedFd),
    /// A socket, as under a service manager.
    Socket,
    /// A pipe of another user, which cannot be opened anew.
    Polled,
}

impl Lines<Stderr> {
    /// The process's standard error.
    pub(super) fn of_stderr(left_out: LeftOut) -> Self {
        Self::new(io::stderr(), "/proc/self/fd/2", left_out)
    }
}

impl<F: AsFd + Write> Lines<F> {
    /// Writes to `fd`, which can be opened anew at `path`.
    fn new(fd: F, path: &str, left_out: LeftOut) -> Self {
        let kind = rustix::fs::fstat(&fd).map(|stat| FileType::from_raw_mode(stat.st_mode));
        let mode = match kind {
            Ok(FileType::Socket) => WriteMode::Socket,
            Ok(FileType::Fifo | FileType::CharacterDevice) => {
                let flags = OFlags::WRONLY | OFlags::APPEND | hostinfo_file::FLAGS;
                rustix::fs::open(path, flags, Mode::empty())
                    .map_or(WriteMode::Polled, WriteMode::Reopened)
            }
            _ => WriteMode::Plain,
        };
        Self { fd, mode, rest: Vec::new(), left_out }
    }

    /// Writes as much as possible now, and returns how much that was.
    fn write_some(&mut self, bytes: &[u8]) -> usize {
        let mut written = 0;
        while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
            match self.write_once(rest) {
                Ok(count) => written += count,
                Err(Errno::INTR) => {}
                // There is no reader now, or never again.
                Err(_) => break,
            }
        }
        written
    }

    fn write_once(&mut self, bytes: &[u8]) -> Result<usize, Errno> {
        match &self.mode {
            WriteMode::Plain => rustix::io::write(&self.fd, bytes),
            WriteMode::Reopened(fd) => rustix::io::write(fd, bytes),
            WriteMode::Socket => {
                let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
                rustix::net::send(&self.fd, bytes, flags)
            }
            WriteMode::Polled if is_writable(self.fd.as_fd()) => {
                rustix::io::write(&self.fd, bytes.get(..PIECE).unwrap_or(bytes))
            }
            WriteMode::Polled => Err(Errno::AGAIN),
        }
    }
}

/// Whether a write would succeed now.
fn is_writable(fd: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::OUT)];
    poll(&mut fds, Some(&Timespec::default())) == Ok(1)
}

/// Each call is one line and never fails: lines that cannot be written are counted.
impl<F: AsFd + Write> Write for Lines<F> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let rest = std::mem::take(&mut self.rest);
        let written = self.write_some(&rest);
        self.rest = rest.get(written..).unwrap_or_default().to_vec();
        if !self.rest.is_empty() {
            self.left_out.count();
            return Ok(line.len());
        }
        let written = self.write_some(line);
        if written == 0 {
            self.left_out.count();
        } else if let Some(rest) = line.get(written..).filter(|rest| !rest.is_empty()) {
            self.rest = rest.to_vec();
            if rest.len() > REST_MAX {
                self.left_out.count();
                self.rest.truncate(REST_MAX);
                self.rest.push(b'\n');
            }
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::{PipeReader, PipeWriter, Read as _, pipe};
    use std::os::fd::AsRawFd as _;
    use std::os::unix::net::UnixStream;

    fn path(fd: &impl AsFd) -> String {
        format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd())
    }

    fn say<F: AsFd + Write>(lines: &mut Lines<F>, line: &str) {
        lines.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    /// Writes until a line is left out, and then nine more. Returns how many lines were written.
    fn fill<F: AsFd + Write>(lines: &mut Lines<F>, left_out: &LeftOut) -> u64 {
        let mut taken = 0;
        for number in 0.. {
            say(lines, &format!("{number:0>99}"));
            if left_out.so_far() > 0 {
                break;
            }
            taken += 1;
        }
        for _ in 0..9 {
            say(lines, &"x".repeat(99));
        }
        taken
    }

    #[test]
    fn lines_that_nobody_reads_are_left_out_and_counted_and_the_others_stay_whole() {
        let own = |writer: &PipeWriter| path(writer);
        let polled = |_: &PipeWriter| "/nonexistent/path".to_owned();
        for path in [&own as &dyn Fn(&PipeWriter) -> String, &polled] {
            let (mut reader, writer): (PipeReader, PipeWriter) = pipe().unwrap();
            let left_out = LeftOut::default();
            let path = path(&writer);
            let mut lines = Lines::new(writer, &path, left_out.clone());
            let taken = fill(&mut lines, &left_out);
            assert!(taken > 100, "{taken}");
            assert_eq!(left_out.so_far(), 10);
            let mut some = [0; 8192];
            reader.read_exact(&mut some).unwrap();
            say(&mut lines, "last");
            assert_eq!(left_out.so_far(), 10, "it flows again");
            drop(lines);
            let mut rest = String::new();
            reader.read_to_string(&mut rest).unwrap();
            let all = String::from_utf8(some.to_vec()).unwrap() + &rest;
            let (whole, last) = all.trim_end().rsplit_once('\n').unwrap();
            assert_eq!(last, "last");
            assert!(whole.lines().all(|line| line.len() == 99));
            assert_eq!(whole.lines().count() as u64, taken);
        }
    }

    #[test]
    fn a_service_managers_socket_is_not_waited_for_either() {
        let (_reader, writer) = UnixStream::pair().unwrap();
        let left_out = LeftOut::default();
        let mut lines = Lines::new(writer, "", left_out.clone());
        assert!(fill(&mut lines, &left_out) > 100);
        assert_eq!(left_out.so_far(), 10);
    }

    #[test]
    fn a_bounded_rest_of_a_partly_written_line_is_kept() {
        let (reader, writer) = pipe().unwrap();
        let left_out = LeftOut::default();
        let path = path(&writer);
        let mut lines = Lines::new(writer, &path, left_out.clone());
        lines.write_all(&vec![b'x'; 1 << 20]).unwrap();
        assert_eq!((lines.rest.len(), left_out.so_far()), (REST_MAX + 1, 1));
        drop(reader);
        say(&mut lines, "nobody can read it any more");
        assert_eq!(left_out.so_far(), 2);
    }

    #[test]
    fn a_file_takes_everything() {
        let folder = tempfile::tempdir().unwrap();
        let left_out = LeftOut::default();
        let file = File::create(folder.path().join("log")).unwrap();
        let mut lines = Lines::new(file, "", left_out.clone());
        lines.write_all(&vec![b'x'; 1 << 20]).unwrap();
        assert_eq!((lines.rest.len(), left_out.so_far()), (0, 0));
        assert_eq!(folder.path().join("log").metadata().unwrap().len(), 1 << 20);
    }
}
