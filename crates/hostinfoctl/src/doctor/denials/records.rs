//! The kernel's audit records of SELinux and AppArmor: from auditd's log or, without auditd, from the journal.
//!
//! The kernel's messages have the same texts, but prove nothing: any user can have the kernel print words of their own, such as
//! the name of a program that crashes. In a record, the kernel shows what others have chosen within quotes, or as
//! hexadecimal digits.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::subprocess::{NotRun, run};

/// auditd's log, where it runs. Older ones are beside it, with `.1` and so on.
const AUDIT_LOG: &str = "/var/log/audit/audit.log";

/// The end of auditd's logs that is read. By default it keeps five of 8 MiB.
const LOG_MAX: u64 = 64 * 1024 * 1024;

/// What was recorded.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Records {
    /// Each as the kernel wrote it, from where SELinux's or AppArmor's own part begins.
    pub(super) texts: Vec<String>,
    /// Since when these are all that were kept.
    pub(super) complete_since: Timestamp,
    /// The command that shows them.
    pub(super) shown_by: &'static str,
}

/// Why there are no records.
pub(super) enum Unread {
    /// Only root can read them.
    NotRoot,
    /// Neither auditd nor journald keeps them.
    NotKept,
    /// journalctl(1) did not end.
    Slow(NotRun),
}

/// Reads the records since a time that is up to 24 h ago.
pub(super) fn read(since: Timestamp) -> Result<Records, Unread> {
    if let Some(found) = audit_log(Path::new(AUDIT_LOG), since, LOG_MAX) {
        return Ok(found);
    }
    // Others see their own part of the journal.
    if !rustix::process::geteuid().is_root() {
        return Err(Unread::NotRoot);
    }
    journal(since)
}

/// Reads auditd's logs from the newest on, until one begins before `since`, and no more than `most` bytes.
fn audit_log(log: &Path, since: Timestamp, most: u64) -> Option<Records> {
    let shown_by = "ausearch -m avc -ts yesterday";
    let mut found = Records { texts: Vec::new(), complete_since: Timestamp::now(), shown_by };
    let mut left = most;
    for number in 0.. {
        let mut path = log.as_os_str().to_owned();
        if number > 0 {
            path.push(format!(".{number}"));
        }
        let Ok(mut file) = File::open(path) else {
            match number {
                0 => return None,
                // The log has not become so long that there was another before it.
                1 => found.complete_since = since,
                _ => {}
            }
            break;
        };
        let start = file.metadata().ok()?.len().saturating_sub(left);
        file.seek(SeekFrom::Start(start)).ok()?;
        let mut bytes = Vec::new();
        left = left.saturating_sub(file.take(left).read_to_end(&mut bytes).ok()? as u64);
        let text = String::from_utf8_lossy(&bytes);
        let whole = text.lines().skip(usize::from(start > 0));
        let mut lines = whole.filter_map(of_auditd).peekable();
        let began = lines.peek().map_or(found.complete_since, |first| first.time);
        let recent = lines.filter(|line| line.is_avc && line.time >= since);
        found.texts.extend(recent.map(|line| line.text.to_owned()));
        found.complete_since = began.max(since);
        if began < since || left == 0 {
            break;
        }
    }
    Some(found)
}

/// A line of auditd's log.
struct Line<'t> {
    time: Timestamp,
    /// Whether it is the kernel's record of SELinux or AppArmor.
    is_avc: bool,
    text: &'t str,
}

/// Parses what auditd writes; `node=` is the host, if auditd.conf(5) has a `name_format`:
///
/// ```text
/// node=host type=AVC msg=audit(1764000000.123:4): avc:  denied  { watch } for  pid=7 comm="hostinfod" path=...
/// ```
fn of_auditd(line: &str) -> Option<Line<'_>> {
    let line = match line.strip_prefix("node=") {
        Some(named) => named.split_once(' ')?.1,
        None => line,
    };
    let (kind, rest) = line.strip_prefix("type=")?.split_once(" msg=audit(")?;
    let (number, text) = rest.split_once("): ")?;
    let time = Timestamp::from_second(number.split('.').next()?.parse().ok()?).ok()?;
    Some(Line { time, is_avc: kind == "AVC", text })
}

/// Reads the journal from its end on. journald lets nobody but the kernel make messages of this transport.
fn journal(since: Timestamp) -> Result<Records, Unread> {
    const AUDIT: &str = "_TRANSPORT=audit";
    let journalctl = |more: &[&str]| {
        let ran = run("journalctl", &[&["--no-pager", "--quiet"], more].concat());
        ran.map_err(|error| match error {
            NotRun::Silent(_) => Unread::Slow(error),
            NotRun::Missing | NotRun::Failed(_) => Unread::NotKept,
        })
    };
    let from = format!("--since=@{}", since.as_second());
    // 1400: AUDIT_AVC in linux/audit.h. --all: also of more than 4096 bytes.
    let ran = journalctl(&[
        &from,
        "--reverse",
        "--all",
        "--output=json",
        "--output-fields=MESSAGE",
        AUDIT,
        "_AUDIT_TYPE=1400",
    ])?;
    let mut found = of_journal(&ran.stdout, ran.is_cut, since);
    if found.texts.is_empty()
        && journalctl(&["--lines=1", "--output=cat", AUDIT])?.stdout.is_empty()
    {
        return Err(Unread::NotKept);
    }
    // journald deletes the oldest messages when there are too many, and any user can make many. --system: a file of a user's
    // own may be older. The oldest comes first; not every systemd has `--lines=+1` for it alone.
    let all = journalctl(&["--system", "--output=json", "--output-fields=_BOOT_ID"])?;
    let oldest = all.stdout.lines().next().and_then(|line| Entry::of(line)?.time());
    found.complete_since = found.complete_since.max(oldest.unwrap_or_else(Timestamp::now));
    Ok(found)
}

/// A message of the journal, as journalctl(1) shows it.
#[derive(Deserialize)]
struct Entry {
    /// A text, unless it has other bytes than the kernel's records have.
    #[serde(rename = "MESSAGE", default)]
    message: Value,
    /// Microseconds since 1970.
    #[serde(rename = "__REALTIME_TIMESTAMP")]
    time: String,
}

impl Entry {
    fn of(line: &str) -> Option<Self> {
        serde_json::from_str(line).ok()
    }

    fn time(&self) -> Option<Timestamp> {
        Timestamp::from_microsecond(self.time.parse().ok()?).ok()
    }
}

/// Parses what journalctl(1) prints, one message a line, the newest first. `is_cut`: there were more.
fn of_journal(printed: &str, is_cut: bool, since: Timestamp) -> Records {
    let mut oldest = Timestamp::now();
    let mut texts = Vec::new();
    for entry in printed.lines().filter_map(Entry::of) {
        oldest = entry.time().unwrap_or(oldest);
        // `AVC apparmor="DENIED" operation=...`
        let text = entry.message.as_str().and_then(|message| message.split_once(' '));
        texts.extend(text.map(|(_, text)| text.to_owned()));
    }
    let complete_since = if is_cut { oldest } else { since };
    let shown_by = "journalctl --since=-24h _TRANSPORT=audit _AUDIT_TYPE=1400";
    Records { texts, complete_since, shown_by }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const NOW: i64 = 1_764_000_000;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn line(kind: &str, seconds: i64, text: &str) -> String {
        format!("type={kind} msg=audit({seconds}.123:4): {text}\n")
    }

    #[test]
    fn of_auditds_lines_only_the_kernels_own_records_count() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("audit.log");
        let since = at(NOW - 100);
        assert_eq!(audit_log(&log, since, LOG_MAX), None);
        let words = format!("acct=\"x type=AVC msg=audit({NOW}.1:4): avc:  denied  {{ read }}\"");
        let lines = [
            line("AVC", NOW - 101, "old"),
            line("AVC", NOW, "avc:  denied  { read } for"),
            line("USER_AVC", NOW, "pid=1 msg='avc:  denied  { start } for"),
            line("USER_LOGIN", NOW, &words),
            format!("node=host {}", line("AVC", NOW, "apparmor=\"DENIED\"")),
            format!("x {}", line("AVC", NOW, "apparmor=\"DENIED\" other")),
        ];
        fs::write(&log, lines.concat()).unwrap();
        let found = audit_log(&log, since, LOG_MAX).unwrap();
        assert_eq!(found.texts, ["avc:  denied  { read } for", "apparmor=\"DENIED\""]);
        assert_eq!(found.complete_since, since);
    }

    #[test]
    fn auditds_logs_are_read_back_to_a_time_or_it_is_known_how_far() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("audit.log");
        let read = |since, most| {
            let found = audit_log(&log, at(since), most).unwrap();
            (found.texts.concat(), found.complete_since)
        };
        fs::write(&log, line("AVC", NOW, "a")).unwrap();
        assert_eq!(read(NOW - 100, LOG_MAX), ("a".to_owned(), at(NOW - 100)), "a new log");
        let crash = line("ANOM_ABEND", NOW - 20, "comm=\"x\"");
        fs::write(
            folder.path().join("audit.log.1"),
            [&*crash, &line("AVC", NOW - 10, "b")].concat(),
        )
        .unwrap();
        assert_eq!(read(NOW - 100, LOG_MAX), ("ab".to_owned(), at(NOW - 20)), "it was rotated");
        assert_eq!(read(NOW - 15, LOG_MAX), ("ab".to_owned(), at(NOW - 15)));
        assert_eq!(read(NOW - 100, 90), ("ab".to_owned(), at(NOW - 10)), "too long");
        fs::write(folder.path().join("audit.log.2"), line("AVC", NOW - 200, "c")).unwrap();
        assert_eq!(read(NOW - 100, LOG_MAX), ("ab".to_owned(), at(NOW - 100)));
    }

    #[test]
    fn the_journals_messages_are_read_one_by_one() {
        let entry = |seconds: i64, text: &str| {
            let entry = serde_json::json!({ "MESSAGE": text, "__REALTIME_TIMESTAMP": format!("{seconds}000000") });
            format!("{entry}\n")
        };
        let text = entry(NOW, "AVC avc:  denied\nAVC avc:  denied") + &entry(NOW - 10, "AVC b");
        let found = of_journal(&text, false, at(NOW - 100));
        assert_eq!(found.texts, ["avc:  denied\nAVC avc:  denied", "b"]);
        assert_eq!(found.complete_since, at(NOW - 100));
        let cut = of_journal(&(text + "{\"MESSAGE\":"), true, at(NOW - 100));
        assert_eq!((cut.texts.len(), cut.complete_since), (2, at(NOW - 10)));
    }

    #[test]
    fn a_message_of_the_journal_that_is_no_text_hides_no_others() {
        let entry = |message: Value| {
            let entry = serde_json::json!({ "MESSAGE": message, "__REALTIME_TIMESTAMP": "1" });
            format!("{entry}\n")
        };
        let text = [entry(Value::from([255, 1])), entry(Value::Null), entry("AVC b".into())];
        assert_eq!(of_journal(&text.concat(), false, at(NOW)).texts, ["b"]);
    }
}
