//! Why a statistic has no value: in detail for the administrator, in brief for the guest.

use std::borrow::Cow;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use hostinfo_file::in_words;
use hostinfo_sample::Absent;

use crate::limits::{EXCERPT_MAX, OUTPUT_MAX};

/// Why there is no value, with what the administrator needs to mend it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The file does not exist, or cannot be read.
    #[error("{}: {}", .0, in_words(.1))]
    Unread(String, io::Error),
    /// Somebody keeps everybody from reading it.
    #[error(
        "{0}: a process that lists a directory on its path, or changes it, keeps hostinfod from reading it: end that process \
         (fuser -v names it, unless it has closed the file or directory since), or have a command print the file"
    )]
    Held(String),
    /// A directory, a pipe, a device.
    #[error("{0}: it is not a regular file: name one in `file`")]
    NoFile(String),
    /// The user whose rights count, which need not be the daemon's, may not read it.
    #[error(
        "{path}: user {uid} may not read it, or not search a directory on its path: permit that, or \
         set `user` to one who may"
    )]
    Withheld {
        /// Which file.
        path: String,
        /// The user that would have to be able to read it.
        uid: u32,
    },
    /// Nobody runs commands.
    #[error(
        "hostinfo-run, which runs commands, cannot be reached at {}: {}: systemctl start hostinfo-run.socket",
        .0.display(), in_words(.1)
    )]
    NoRunner(PathBuf, io::Error),
    /// hostinfo-run refused to run the command, and why.
    #[error("hostinfo-run does not run its command: {0}")]
    Refused(String),
    /// hostinfo-run has ended.
    #[error("hostinfo-run ended before its command did: journalctl -u hostinfo-run")]
    Lost,
    /// hostinfo-run has not answered in time, or others wait for it already.
    #[error(
        "hostinfo-run does not answer: systemctl restart hostinfo-run, and see journalctl -u hostinfo-run"
    )]
    Silent,
    /// hostinfo-run has answered what it never answers.
    #[error(
        "hostinfo-run gave an answer of another version, or none: systemctl restart hostinfo hostinfo-run"
    )]
    Nonsense,
    /// hostinfo-run has sent descriptors. It is asked for nothing until they are closed.
    #[error(
        "hostinfo-run has sent descriptors that take long to close, so somebody may have taken it over: systemctl \
         restart hostinfo-run"
    )]
    Descriptors,
    /// The process could not be started, or was lost.
    #[error("{}: it could not be run: {}", .0, in_words(.1))]
    NotRun(String, io::Error),
    /// It exited with a status other than 0, or was ended by a signal.
    #[error("its command ended with {status}{}", said(.errors))]
    Failed {
        /// How it ended.
        status: ExitStatus,
        /// The beginning of its standard error.
        errors: Vec<u8>,
    },
    /// It was still running at its deadline, and was killed.
    #[error("its command did not end within {timeout:?} and was killed{}", said(.errors))]
    Late {
        /// Its time limit.
        timeout: Duration,
        /// The beginning of its standard error.
        errors: Vec<u8>,
    },
    /// It printed too much.
    #[error("its output is over {OUTPUT_MAX} bytes: print one line")]
    TooLong,
    /// It printed something other than a value of its kind.
    #[error("expected {expected}, found {}", excerpt(.found))]
    Malformed {
        /// The expected form.
        expected: Cow<'static, str>,
        /// What it printed.
        found: Vec<u8>,
    },
}

/// The value is not there yet.
pub(crate) const NOT_YET: Absent = Absent::plain("not ready yet: ask again");

/// The statistic no longer exists, or not for this guest.
pub(crate) const NONE: Absent = Absent::plain("this host has none");

impl Failure {
    /// The reason for the guest, without paths, output or errors.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Unread(..)
            | Self::NoFile(_)
            | Self::Withheld { .. }
            | Self::NoRunner(..)
            | Self::Refused(_)
            | Self::Lost
            | Self::Nonsense
            | Self::Descriptors
            | Self::NotRun(..) => "could not be read on this host",
            Self::Failed { .. } => "failed on this host",
            Self::Late { .. } | Self::Silent | Self::Held(_) => "took too long on this host",
            Self::TooLong | Self::Malformed { .. } => "has no proper value on this host",
        }
    }

    /// Whether it took as long as it could: the next run may as well.
    pub(crate) fn is_hang(&self) -> bool {
        matches!(self, Self::Late { .. } | Self::Silent)
    }

    /// The failure as an absence, for guest and administrator.
    pub(crate) fn to_absent(&self) -> Absent {
        Absent::fault(self.reason(), self.to_string())
    }
}

fn said(errors: &[u8]) -> String {
    if errors.trim_ascii().is_empty() {
        String::new()
    } else {
        format!("; it said {}", excerpt(errors))
    }
}

/// The beginning of any bytes, made safe for a log line.
fn excerpt(bytes: &[u8]) -> String {
    let bytes = bytes.trim_ascii();
    if bytes.is_empty() {
        return "nothing".to_owned();
    }
    let shown = bytes.get(..EXCERPT_MAX).unwrap_or(bytes);
    let more = if shown.len() < bytes.len() { "..." } else { "" };
    format!("`{}`{more}", String::from_utf8_lossy(shown).escape_debug())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_administrator_is_told_what_was_printed_escaped_and_cut_off() {
        let failure =
            Failure::Malformed { expected: "a number".into(), found: b"\x1b[2Jx\n".into() };
        assert_eq!(failure.to_string(), r"expected a number, found `\u{1b}[2Jx`");
        let failure = Failure::Malformed { expected: "a".into(), found: vec![b'x'; 5000] };
        assert!(failure.to_string().len() < 300 && failure.to_string().ends_with("`..."));
    }

    #[test]
    fn the_guest_is_told_neither_path_nor_output_nor_error() {
        let failure = Failure::Unread("/secret/path".to_owned(), io::Error::from_raw_os_error(13));
        let absent = failure.to_absent();
        assert_eq!(absent.reason, "could not be read on this host");
        assert_eq!(absent.remedy().unwrap(), "/secret/path: Permission denied");
    }

    proptest! {
        #[test]
        fn whatever_was_printed_is_one_line_of_the_log(bytes: Vec<u8>) {
            let excerpt = excerpt(&bytes);
            prop_assert!(!excerpt.contains(char::is_control));
            // Each byte is at most `\u{10ffff}` or the replacement character.
            prop_assert!(excerpt.len() <= EXCERPT_MAX * 10 + 5);
        }
    }
}
