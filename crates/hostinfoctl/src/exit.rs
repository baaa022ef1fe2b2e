//! What can go wrong, in words with a remedy, and the exit status for it.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use hostinfo_control::{Error, Refusal};
use hostinfo_domains::{FailureKind, Unanswered, Unfit};
use hostinfo_wire::text::escaped_lines;

use crate::uri::is_remote;

/// The exit status of a command that ran to its end: 0, or that of the failures it reported.
pub(crate) type Status = u8;

/// Everything succeeded.
pub(crate) const DONE: Status = 0;

/// Something was refused or failed.
pub(crate) const REFUSED: Status = 1;

/// Why something was not done. As text, each is one line.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("{0}")]
    Usage(String),
    #[error("{0}")]
    Refused(String),
    #[error("{0}")]
    Denied(String),
    #[error("there is no guest {name:?}: {}", nearest.as_ref().map_or_else(
        || "see them with hostinfoctl list".to_owned(),
        |nearest| format!("do you mean {nearest:?}?"),
    ))]
    NoGuest { name: String, nearest: Option<String> },
    #[error("no guest's name matches {0:?}: see them with hostinfoctl list")]
    NoMatch(String),
    #[error("{}", libvirt(uri, why))]
    Libvirt { uri: String, why: Unanswered },
    #[error(transparent)]
    Daemon(#[from] hostinfo_control::Error),
    /// libvirt hung in the middle of a change.
    #[error("{0}")]
    Doubtful(String),
    #[error("cannot write {}: {why}", path.display())]
    File { path: PathBuf, why: io::Error },
    #[error("cannot write to the standard output: {0}")]
    Output(#[from] io::Error),
}

impl From<Unfit> for Failure {
    fn from(unfit: Unfit) -> Self {
        Self::Refused(unfit.to_string())
    }
}

/// libvirt's own words on one line, with the remedy.
fn libvirt(uri: &str, why: &Unanswered) -> String {
    let Unanswered::Failed(failure) = why else {
        let remedy = match why {
            Unanswered::Silent(_) => {
                ": check whether it hangs (systemctl status libvirtd virtqemud)"
            }
            _ => "",
        };
        return format!("{uri}: {why}{remedy}");
    };
    let words = failure.words.split_whitespace().collect::<Vec<_>>().join(" ");
    match failure.kind {
        FailureKind::Denied => {
            let user = rustix::process::geteuid().as_raw();
            format!(
                "{uri}: {words}: user {user} is not permitted: be root or in the group libvirt, or give another connection with -c"
            )
        }
        FailureKind::NoDomain => "it is gone: see hostinfoctl list".to_owned(),
        FailureKind::Busy => format!("libvirt: {words}: try again when it is not busy"),
        FailureKind::Unreachable if is_remote(uri) => {
            format!("{uri}: {words}: check that it can be reached, and that it runs libvirt")
        }
        FailureKind::Unreachable => format!(
            "{uri}: {words}: start libvirt (systemctl start libvirtd or virtqemud), or give another connection with -c"
        ),
        FailureKind::Unsupported | FailureKind::Other => format!("libvirt: {words}"),
    }
}

impl Failure {
    pub(crate) fn status(&self) -> Status {
        match self {
            Self::Refused(_) | Self::File { .. } | Self::Output(_) => REFUSED,
            Self::Usage(_) | Self::Daemon(Error::TooLong(_)) => 2,
            Self::NoGuest { .. } | Self::NoMatch(_) => 3,
            Self::Libvirt { why: Unanswered::Failed(failure), .. } => match failure.kind {
                FailureKind::Denied => 6,
                FailureKind::NoDomain => 3,
                FailureKind::Unreachable => 4,
                FailureKind::Unsupported | FailureKind::Busy | FailureKind::Other => REFUSED,
            },
            Self::Libvirt { .. } | Self::Doubtful(_) => 4,
            Self::Denied(_) | Self::Daemon(Error::Denied { .. }) => 6,
            Self::Daemon(Error::Refused(refusal)) => match refusal {
                Refusal::NoSuchGuest { .. } => 3,
                Refusal::NotPermitted { .. } => 6,
                _ => REFUSED,
            },
            Self::Daemon(_) => 5,
        }
    }
}

/// The combined status of several: that of the failures if all have the same, or else [`REFUSED`].
pub(crate) fn sum(statuses: impl IntoIterator<Item = Status>) -> Status {
    statuses.into_iter().filter(|status| *status != DONE).fold(DONE, |sum, status| match sum {
        DONE => status,
        _ if sum == status => sum,
        _ => REFUSED,
    })
}

/// The program's exit status. Prints a failure to stderr.
pub(crate) fn code(result: Result<Status, Failure>) -> ExitCode {
    match result {
        Ok(status) => ExitCode::from(status),
        // The reader has read all that it wanted (`hostinfoctl list | head -1`).
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(failure) => {
            complain(&failure);
            ExitCode::from(failure.status())
        }
    }
}

/// Prints a line to stderr, without what controls a terminal: libvirt's words may be those of a QEMU.
pub(crate) fn complain(what: impl Display) {
    // If stderr fails, nobody can be told.
    let _ = writeln!(io::stderr(), "hostinfoctl: {}", escaped_lines(&what.to_string()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostinfo_domains::Failure as Words;

    fn failed(kind: FailureKind, words: &str) -> Failure {
        let why = Unanswered::Failed(Words { kind, words: words.to_owned() });
        Failure::Libvirt { uri: "qemu:///system".to_owned(), why }
    }

    #[test]
    fn an_error_of_libvirts_is_one_line_with_a_remedy() {
        let denied = failed(FailureKind::Denied, "operation\nforbidden: read only");
        let words = denied.to_string();
        assert_eq!(words.lines().count(), 1);
        assert!(words.starts_with("qemu:///system: operation forbidden") && words.contains("root"));
        assert_eq!(denied.status(), 6);
        assert_eq!(failed(FailureKind::Unreachable, "x").status(), 4);
    }

    #[test]
    fn equal_failures_keep_their_exit_status_and_different_ones_give_1() {
        assert_eq!([sum([]), sum([0, 0]), sum([0, 3, 3]), sum([3, 6, 0])], [0, 0, 3, 1]);
    }
}
