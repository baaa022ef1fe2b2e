//! systemd's journal as the log's destination, by its native protocol: <https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>.
//!
//! The crate tracing-journald waits until the journal takes a line. A slow disk, or any user of the host, can keep it from
//! that, and all guests would wait too. Here a line that cannot be sent at once is left out.

use std::fmt::Debug;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use hostinfo_domains::cut;
use rustix::io::Errno;
use rustix::net::{SendFlags, send};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

use crate::logging::left_out::LeftOut;

/// systemd-journald(8).
pub(super) const SOCKET: &str = "/run/systemd/journal/socket";

/// The programs' names that `journalctl -t` goes by.
const IDENTIFIER: &str = env!("CARGO_PKG_NAME");

/// Begins the names of an event's own fields: `HOSTINFO_GUEST`.
const PREFIX: &str = "HOSTINFO_";

/// Most bytes of a value. The kernel takes datagrams of some 200 KiB (net.core.wmem_default), and of an event's values
/// only the message may be long: a file of rules can have a thousand errors.
const VALUE_MAX: usize = 64 * 1024;

/// The destination of lines.
pub(super) struct Journal {
    to: UnixDatagram,
    path: PathBuf,
    left_out: LeftOut,
}

impl Journal {
    /// The journal that listens at `path`.
    ///
    /// # Errors
    /// Nobody listens there.
    pub(super) fn at(path: &Path, left_out: LeftOut) -> io::Result<Self> {
        let to = UnixDatagram::unbound()?;
        to.connect(path)?;
        Ok(Self { to, path: path.to_owned(), left_out })
    }

    fn send(&self, entry: &[u8]) -> Result<(), Errno> {
        let send = || send(&self.to, entry, SendFlags::DONTWAIT | SendFlags::NOSIGNAL).map(drop);
        match send() {
            // The kernel says once that this socket is gone, and then that there is none. Another may be there since.
            Err(Errno::CONNREFUSED | Errno::NOTCONN) if self.to.connect(&self.path).is_ok() => {
                send()
            }
            sent => sent,
        }
    }
}

impl<S: Subscriber> Layer<S> for Journal {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut entry = Entry::of(event.metadata());
        event.record(&mut entry);
        if self.send(&entry.0).is_err() {
            self.left_out.count();
        }
    }
}

/// A line with its fields.
struct Entry(Vec<u8>);

impl Entry {
    fn of(metadata: &Metadata<'_>) -> Self {
        let mut entry = Self(Vec::new());
        entry.put("PRIORITY", priority(*metadata.level()));
        entry.put("SYSLOG_IDENTIFIER", IDENTIFIER);
        entry.put("TARGET", metadata.target());
        if let (Some(file), Some(line)) = (metadata.file(), metadata.line()) {
            entry.put("CODE_FILE", file);
            entry.put("CODE_LINE", &line.to_string());
        }
        entry
    }

    /// In the form in which a value may contain line ends: its length is 8 bytes, the lowest first.
    fn put(&mut self, name: &str, value: &str) {
        let value = cut(value, VALUE_MAX);
        let length = u64::try_from(value.len()).unwrap_or(u64::MAX).to_le_bytes();
        for part in [name.as_bytes(), b"\n", &length, value.as_bytes(), b"\n"] {
            self.0.extend_from_slice(part);
        }
    }
}

impl Visit for Entry {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.put("MESSAGE", value),
            // The journal knows no other characters.
            name => self.put(&(PREFIX.to_owned() + &name.replace('.', "_").to_uppercase()), value),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

/// As in syslog(3). That a guest was given access is no less than a notice.
fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "3",
        Level::WARN => "4",
        Level::INFO => "5",
        Level::DEBUG => "6",
        Level::TRACE => "7",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    use tempfile::TempDir;
    use tracing_subscriber::layer::SubscriberExt as _;

    /// A journal, and where it listens.
    fn listen() -> (TempDir, PathBuf, UnixDatagram) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let journal = UnixDatagram::bind(&path).unwrap();
        (folder, path, journal)
    }

    fn log(path: &Path, left_out: &LeftOut, lines: impl FnOnce()) {
        let journal = Journal::at(path, left_out.clone()).unwrap();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(journal), lines);
    }

    fn next(journal: &UnixDatagram) -> String {
        let mut entry = [0; 4096];
        journal.set_nonblocking(true).unwrap();
        let length = journal.recv(&mut entry).unwrap();
        String::from_utf8(entry[..length].to_vec()).unwrap()
    }

    #[test]
    fn each_field_is_one_of_the_journals_whatever_its_value_is() {
        let (_folder, path, journal) = listen();
        log(&path, &LeftOut::default(), || {
            tracing::warn!(guest = "a\nPRIORITY=0", left.out = 7, "two\nlines");
        });
        let entry = next(&journal);
        for field in [
            "PRIORITY\n\u{1}\0\0\0\0\0\0\x004\n",
            "SYSLOG_IDENTIFIER\n\u{9}\0\0\0\0\0\0\0hostinfod\n",
            "MESSAGE\n\u{9}\0\0\0\0\0\0\0two\nlines\n",
            "HOSTINFO_GUEST\n\u{c}\0\0\0\0\0\0\0a\nPRIORITY=0\n",
            "HOSTINFO_LEFT_OUT\n\u{1}\0\0\0\0\0\0\x007\n",
            "journal.rs\nCODE_LINE\n",
        ] {
            assert!(entry.contains(field), "{field:?} in {entry:?}");
        }
    }

    #[test]
    fn a_journal_that_takes_nothing_is_not_waited_for_and_what_it_misses_is_counted() {
        let (_folder, path, journal) = listen();
        let left_out = LeftOut::default();
        log(&path, &left_out, || {
            // More than its queue takes, and more than the kernel keeps for one sender: 212,992 bytes.
            (0..3000).for_each(|_| tracing::info!("{}", "x".repeat(100)));
            let missed = left_out.so_far();
            assert!((1..3000).contains(&missed), "{missed}");
            (missed..3000).for_each(|_| drop(next(&journal)));
            tracing::info!("last");
            assert_eq!(left_out.so_far(), missed);
        });
        assert!(next(&journal).contains("last"));
    }

    #[test]
    fn a_line_that_is_longer_than_any_that_can_be_sent_is_cut() {
        let ((_folder, path, journal), left_out) = (listen(), LeftOut::default());
        log(&path, &left_out, || {
            tracing::error!(event = "rules-refused", "{}", "é".repeat(1 << 20));
        });
        assert_eq!(left_out.so_far(), 0);
        let mut entry = vec![0; 1 << 20];
        let length = journal.recv(&mut entry).unwrap();
        let entry = String::from_utf8_lossy(&entry[..length]);
        assert!(entry.contains("éé\nHOSTINFO_EVENT\n") && length < 2 * VALUE_MAX, "{length}");
    }

    #[test]
    fn a_journal_that_listens_anew_gets_the_lines_from_then_on() {
        let ((_folder, path, journal), left_out) = (listen(), LeftOut::default());
        log(&path, &left_out, || {
            drop(journal);
            tracing::info!("nobody listens");
            assert_eq!(left_out.so_far(), 1);
            fs::remove_file(&path).unwrap();
            let journal = UnixDatagram::bind(&path).unwrap();
            tracing::info!("again");
            assert!(next(&journal).contains("again"));
        });
    }
}
