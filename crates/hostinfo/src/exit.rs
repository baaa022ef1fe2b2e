//! Everything that can go wrong, in words with a remedy, and the exit status for it.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use hostinfo_catalog::resolve;

use crate::broken::Broken;
use crate::not_yet::NotYet;
use crate::output::stderr_columns;
use crate::port::OpenError;
use crate::way::Way;
use crate::wrap::wrapped;
use crate::{args, blame, nearest, system};

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
    #[error("cannot listen at {place}: {why}")]
    Listen { place: String, why: io::Error },
    #[error("cannot write {}: {why}", path.display())]
    File { path: PathBuf, why: io::Error },
    #[error("cannot read {}: {why}", path.display())]
    Recording { path: PathBuf, why: String },
    #[error("cannot write the answer: {0}")]
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
        )
    }

    /// What the user can do about it, if it does not say so itself.
    fn next_step(&self) -> &'static str {
        match self {
            Self::Talk(Broken::Silent(_) | Broken::NotConnected | Broken::Disturbed(_)) => {
                ": ask again, or give it more time with --timeout"
            }
            Self::Talk(Broken::TooLong) => ": ask for less",
            Self::Open(OpenError::NotAPort | OpenError::OwnTerminal) => {
                ": name another with --device"
            }
            _ => "",
        }
    }
}

/// The exit status of a wrong command line.
pub(crate) const USAGE: u8 = 2;

impl Failure {
    /// The exit status for it.
    pub(crate) fn status(&self) -> u8 {
        match self {
            Self::Usage(_) => USAGE,
            Self::TooSoon(_) | Self::FirstAnswer(_) => 4,
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

/// Reports a wrong command line in the form of all errors, and returns the exit status for it. Help
/// and the version are no errors, and go to stdout.
pub(crate) fn refuse(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        return code(error.print().map(|()| Outcome::Complete).map_err(Failure::from));
    }
    let told = error.render().to_string();
    let told = told.strip_prefix("error: ").unwrap_or(&told).trim_end();
    let words = std::env::args().skip(1);
    let example = (error.kind() == ErrorKind::MissingRequiredArgument)
        .then(|| words.into_iter().find_map(|word| example(&word)))
        .flatten();
    let example = example.map_or_else(String::new, |line| format!("\nExample: {line}"));
    let meant = meant(error).unwrap_or_default();
    let (what, usage) = told.split_at(told.find('\n').unwrap_or(told.len()));
    complain(format_args!("{what}{meant}{usage}{example}"));
    ExitCode::from(USAGE)
}

/// What may have been meant by a word after `help` that is no command.
fn meant(error: &clap::Error) -> Option<String> {
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand) else {
        return None;
    };
    if resolve(word).is_some() {
        return Some(format!("; it is a statistic or a group: see hostinfo list {word}"));
    }
    let command = nearest::command(word, args::commands().into_iter())?;
    Some(format!("; did you mean hostinfo help {command}?"))
}

/// A command that is whole.
fn example(command: &str) -> Option<&'static str> {
    match command {
        "get" => Some("hostinfo get loadavg.1"),
        "record" => Some("hostinfo record slow.rec --for 10m"),
        "report" => Some("hostinfo report slow.rec --text"),
        _ => None,
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
