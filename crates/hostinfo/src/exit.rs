//! Everything that can go wrong, in words with a remedy, and the exit status for it. A wrong command line is in `usage`.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use hostinfo_file::in_words;

use crate::broken::Broken;
use crate::not_yet::NotYet;
use crate::output::stderr_columns;
use crate::port::OpenError;
use crate::way::Way;
use crate::wrap::wrapped;
use crate::{args, blame, system};

/// A host answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Everything that was asked for.
    Complete,
    /// Some of it was refused or is not available.
    Partial,
    /// The result has an exit status of its own.
    Status(u8),
}

/// Nothing to show.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("{0}")]
    Usage(String),
    #[error("too soon: ask again in {:.3} s, or with --wait", .0.as_secs_f64())]
    TooSoon(Duration),
    /// From a broker, which may not ask either.
    #[error("{}; ask again then, or with --wait", NotYet::TooSoon(*.0))]
    FirstAnswer(Duration),
    #[error("no host answers: {}\n{remedy}", tried.join("; "))]
    NoHost {
        /// Each port, and why no host answered there.
        tried: Vec<String>,
        remedy: String,
    },
    #[error(
        "no host answers: {0}: no such device; leave out --device (and HOSTINFO_DEVICE) to find it"
    )]
    NoDevice(Way),
    #[error("{way}: {why}{}", why.next_step())]
    Port { way: Way, why: Trouble },
    #[error("{way}: {why}: {by}")]
    Disturbed { way: Way, why: Broken, by: String },
    #[error("the answer to {0:?} makes no sense; hostinfo may be older than the host")]
    Unexpected(&'static str),
    #[error("cannot listen at {place}: {}", in_words(why))]
    Listen { place: String, why: io::Error },
    #[error("cannot write {}: {}{}", path.display(), in_words(why), folder_step(why))]
    File { path: PathBuf, why: io::Error },
    #[error("cannot read {}: {why}", path.display())]
    Recording { path: PathBuf, why: String },
    #[error("cannot write the answer: {}", in_words(.0))]
    Output(#[from] io::Error),
}

/// What is wrong with a port.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(crate) enum Trouble {
    Open(#[from] OpenError),
    Talk(#[from] Broken),
}

impl Trouble {
    /// Whether this is typical of a port on which no host listens.
    pub(crate) fn is_absence(&self) -> bool {
        matches!(
            self,
            Self::Open(OpenError::Missing | OpenError::NoHardware | OpenError::NobodyListens)
                | Self::Open(OpenError::NoSocket)
                | Self::Talk(Broken::Silent(_) | Broken::Strange | Broken::NotConnected)
                | Self::Talk(Broken::Refused(_) | Broken::HungUp)
        )
    }

    /// What the user can do about it, if it does not say so itself.
    fn next_step(&self) -> &'static str {
        match self {
            Self::Talk(Broken::Silent(_) | Broken::NotConnected | Broken::Disturbed(_)) => {
                ": ask again, or give it more time with --timeout"
            }
            Self::Talk(Broken::Stalled | Broken::HungUp) => ": ask again",
            Self::Talk(Broken::TooLong) => ": ask for less",
            Self::Open(OpenError::NotAPort | OpenError::OwnTerminal) => {
                ": name another with --device"
            }
            _ => "",
        }
    }
}

/// What to do about a file that cannot be created.
fn folder_step(why: &io::Error) -> &'static str {
    match why.kind() {
        io::ErrorKind::NotFound => ": create its folder, or name a file in another",
        io::ErrorKind::PermissionDenied => ": name a file in another folder",
        _ => "",
    }
}

/// The exit status of a wrong command line.
pub(crate) const USAGE: u8 = 2;

/// The exit status where it is too soon to ask.
pub(crate) const TOO_SOON: u8 = 4;

impl Failure {
    /// What is wrong, without what its user can do about it: for others, who read it later. `had_answer`: the host
    /// had answered before.
    pub(crate) fn cause(&self, had_answer: bool) -> String {
        match self {
            Self::NoHost { tried, .. } => tried.join("; "),
            Self::NoDevice(_) if had_answer => "the port vanished".to_owned(),
            Self::NoDevice(way) => format!("{way}: {}", OpenError::Missing),
            Self::Port { way, why } => format!("{way}: {why}"),
            Self::Disturbed { way, why, .. } => format!("{way}: {why}"),
            other => other.to_string().lines().next().unwrap_or_default().to_owned(),
        }
    }

    /// How long to wait until the host may be asked, where it is only too soon.
    pub(crate) fn too_soon(&self) -> Option<Duration> {
        match self {
            Self::TooSoon(wait) | Self::FirstAnswer(wait) => Some(*wait),
            _ => None,
        }
    }

    /// The exit status for it.
    pub(crate) fn status(&self) -> u8 {
        match self {
            Self::Usage(_) => USAGE,
            Self::TooSoon(_) | Self::FirstAnswer(_) => TOO_SOON,
            Self::NoHost { .. } | Self::NoDevice(_) => 5,
            Self::Port { .. }
            | Self::Disturbed { .. }
            | Self::Unexpected(_)
            | Self::Listen { .. }
            | Self::File { .. }
            | Self::Recording { .. }
            | Self::Output(_) => 1,
        }
    }
}

/// Reports a failure on stderr, and returns the program's exit status.
pub(crate) fn code(result: Result<Outcome, Failure>) -> ExitCode {
    match result {
        Ok(Outcome::Complete) => ExitCode::SUCCESS,
        Ok(Outcome::Partial) => ExitCode::from(3),
        Ok(Outcome::Status(status)) => ExitCode::from(status),
        // If the reader stops early, it has what it wanted (`hostinfo | head -1`).
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(failure) => {
            match failure {
                Failure::TooSoon(_) => {
                    let copies = system::copies(&args::commands());
                    complain(format_args!("{failure}\n{}", blame::too_soon(&copies)));
                }
                _ => complain(&failure),
            }
            ExitCode::from(failure.status())
        }
    }
}

/// Reports something on stderr.
pub(crate) fn complain(what: impl Display) {
    let text = format!("hostinfo: {what}\n");
    let text = match stderr_columns() {
        Some(columns) => wrapped(&text, columns),
        None => text,
    };
    // If stderr cannot be written, there is nobody to tell.
    let _ = io::stderr().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_in_a_folder_that_is_not_there_has_a_next_step() {
        let why = io::Error::from_raw_os_error(2);
        let failure = Failure::File { path: "none/r".into(), why };
        assert!(failure.to_string().ends_with(": create its folder, or name a file in another"));
    }

    #[test]
    fn a_cause_has_no_advice_in_it() {
        let way = || Way::Device("/dev/ttyS1".into());
        let port = |why: Broken| Failure::Port { way: way(), why: why.into() };
        assert_eq!(Failure::NoDevice(way()).cause(true), "the port vanished");
        assert_eq!(Failure::NoDevice(way()).cause(false), "/dev/ttyS1: no such device");
        let stalled = port(Broken::Stalled);
        assert!(stalled.to_string().ends_with(" of its reply: ask again"), "{stalled}");
        assert!(stalled.cause(true).ends_with(" of its reply"), "{}", stalled.cause(true));
        let silent = port(Broken::Silent(Duration::from_secs(1)));
        assert_eq!(silent.cause(true), "/dev/ttyS1: silent for 1 s");
        let tried = vec!["vsock:2:4678: silent for 1 s".to_owned()];
        let absent = Failure::NoHost { tried, remedy: "Send this".to_owned() };
        assert_eq!(absent.cause(true), "vsock:2:4678: silent for 1 s");
        let (why, by) = (Broken::Disturbed(Duration::from_secs(1)), "Stop that".to_owned());
        let disturbed = Failure::Disturbed { way: way(), why, by };
        assert_eq!(disturbed.cause(true), "/dev/ttyS1: no whole answer within 1 s");
    }
}
