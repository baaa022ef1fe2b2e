//! The command line. This file and those in `args/` use nothing else of the crate, because the man page
//! and the shells' completions are made from them too.

// By their paths: `hostinfo-pages` includes this file from another folder.
#[path = "args/observe.rs"]
mod observe;
#[path = "args/own.rs"]
mod own;
#[path = "args/serve.rs"]
mod serve;
#[path = "args/value.rs"]
mod value;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{OsStringValueParser, Resettable, TypedValueParser as _};
use clap::{FromArgMatches as _, Parser, Subcommand, ValueEnum, ValueHint};

use observe::{DIAGNOSE, RECORD, REPORT, TOP};
pub(crate) use observe::{Diagnose, Record, Report};
pub(crate) use own::command;
use serve::SERVE;
pub(crate) use serve::Serve;
use value::{name, time, timeout};

/// Where the broker listens, and is looked for.
pub(crate) const BROKER: &str = "/run/hostinfo.sock";

const EXAMPLES: &str = "\
Examples:
  hostinfo                             is it me or my host? At most eight lines
  hostinfo --all                       everything the host lets this guest see
  hostinfo loadavg verdict.cpu         some of it, as NAME=VALUE for scripts
  hostinfo diagnose                    observe for a minute, then say who it is
  hostinfo top                         the host's and this guest's figures live
  hostinfo record slow.rec --for 24h   record them for a day
  hostinfo report slow.rec --text      was it the host? For your provider
  hostinfo list memory                 what this guest may ask about memory
  hostinfo --json vm.cpu               JSON, for programs
  hostinfo --json --every 60s          a line of JSON each minute
  hostinfo --format prometheus --output FOLDER/host.prom
                                       for node_exporter's textfile collector

Exit status:
  0  everything asked for was answered
  1  it failed
  2  the command line is wrong
  3  some of it was refused or is not available
  4  too soon: ask again later, or use --wait
  5  no host answers
  10 the host, 11 this guest's own limit or work, 12 unknown: only of diagnose;
     plain hostinfo gives 12 too, but only if the host has no verdict at all

On Windows:
  There is no serve, and diagnose, top and record have the host's view alone,
  since the guest's own figures come from Linux's /proc.";

const GET: &str = "\
Examples:
  hostinfo get loadavg.1               one statistic
  hostinfo get memory vm.cpu           two groups
  hostinfo get --wait verdict.io       are disks slow? Waits for the answer
  load=$(hostinfo get loadavg.1) && echo \"${load#*=}\"";

const LIST: &str = "\
Examples:
  hostinfo list                        everything this guest may ask for
  hostinfo list vm.disk                statistics of its disks
  hostinfo list --json                 JSON, for programs";

const PING: &str = "\
Examples:
  hostinfo ping                        does a host answer, where, and how fast?
  hostinfo ping --device /dev/ttyS2    does it answer there?";

/// Ask the host of this virtual machine: is it me or my host?
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES)]
pub(crate) struct Args {
    /// What to do [default: show the host's verdicts in a few lines]
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// Statistics (memory.total), groups (memory, vm.cpu) or '*': the same as get NAME
    #[arg(value_name = "NAME", value_parser = name)]
    pub(crate) names: Vec<String>,
    /// Show everything the host lets this guest see, with units and descriptions
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) options: Options,
}

/// Reads the command line. Help is for a terminal of so many `columns`; without them, clap looks for itself.
///
/// # Errors
/// What clap says of it; help and the version, too.
pub(crate) fn parse(
    words: impl IntoIterator<Item = impl Into<OsString>>,
    columns: Option<usize>,
) -> Result<Args, clap::Error> {
    let mut words: Vec<OsString> = words.into_iter().map(Into::into).collect();
    // clap takes what follows `help` for a command, `--help` as well.
    if words.get(1).is_some_and(|word| word == "help") {
        words.retain(|word| word != "--help" && word != "-h");
    }
    let command = command();
    let command = match columns {
        Some(columns) => command.term_width(columns),
        None => command,
    };
    let matches = command.clone().try_get_matches_from(&words).map_err(|error| {
        // With HOSTINFO_DEVICE set, clap would show --device in the usage as if it were required.
        without_variables(command).try_get_matches_from(words).err().unwrap_or(error)
    })?;
    let mut args = Args::from_arg_matches(&matches)?;
    // An empty variable is none.
    args.options.device = args.options.device.filter(|device| !device.as_os_str().is_empty());
    Ok(args)
}

/// The same command line, with nothing from the environment.
fn without_variables(command: clap::Command) -> clap::Command {
    let command = command.mut_args(|arg| match arg.get_id().as_str() {
        "device" => arg.env(Resettable::Reset),
        _ => arg,
    });
    command.mut_subcommands(without_variables)
}

/// The commands' names.
pub(crate) fn commands() -> Vec<&'static str> {
    vec!["get", "list", "diagnose", "top", "record", "report", "serve", "ping", "help"]
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show statistics, one per line: NAME=VALUE, in bytes, seconds, ratios (0 to 1) and hertz
    #[command(after_help = GET)]
    Get {
        /// Statistics (memory.total), groups (memory, vm.cpu) or '*'
        #[arg(required = true, value_name = "NAME", value_parser = name)]
        names: Vec<String>,
    },
    /// Show what this guest may ask for: NAME KIND UNIT DESCRIPTION METRIC (its name for Prometheus, or -)
    #[command(after_help = LIST)]
    List {
        /// Statistics or groups [default: all]
        #[arg(value_name = "NAME", value_parser = name)]
        names: Vec<String>,
    },
    /// Observe the host and this guest's own kernel for a while, and say which is to blame
    #[command(after_help = DIAGNOSE)]
    Diagnose(Diagnose),
    /// Show the host's and the guest's own figures live: verdicts, CPU, pressure, disks, memory
    #[command(after_help = TOP)]
    Top,
    /// Record the host's and the guest's own figures for hours or days
    #[command(after_help = RECORD)]
    Record(Record),
    /// Turn a recording into a page or text: was it the host?
    #[command(after_help = REPORT)]
    Report(Report),
    /// Run a broker, which shares the port among all programs of this guest and Prometheus (not on Windows)
    #[command(after_help = SERVE)]
    Serve(Serve),
    /// Check whether a host answers, on which device, and how fast
    #[command(after_help = PING)]
    Ping,
}

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// Output format; openmetrics and prometheus only for statistics, nagios only for diagnose
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// The same as --format json
    #[arg(long, global = true, conflicts_with = "format")]
    json: bool,
    /// Write the answer to FILE, atomically; if there is no answer, FILE stays unchanged
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Repeat the query, such as every 15s; with --json, one line each time
    #[arg(long, global = true, value_name = "TIME", value_parser = time)]
    pub(crate) every: Option<Duration>,
    /// How to reach the host: the path of a serial port or channel, unix:PATH, vsock, or vsock:CID:PORT
    /// [default: the first of these that answers: unix:/run/hostinfo.sock (hostinfo serve),
    /// /dev/virtio-ports/org.hostinfo.0, vsock and /dev/ttyS1; on Windows
    /// \\.\Global\org.hostinfo.0 and COM2]; the variable HOSTINFO_DEVICE sets it as well
    #[arg(
        long,
        global = true,
        value_name = "PATH",
        env = "HOSTINFO_DEVICE",
        hide_env_values = true,
        // A PathBuf that may be empty.
        value_parser = OsStringValueParser::new().map(PathBuf::from),
        value_hint = ValueHint::AnyPath
    )]
    pub(crate) device: Option<PathBuf>,
    /// How long to wait for a silent host or a busy port before giving up, such as 5s or 500ms
    #[arg(long, global = true, value_name = "TIME", value_parser = timeout, default_value = "5s")]
    pub(crate) timeout: Duration,
    /// If it is too soon to ask, or the host needs time for its verdict, wait as long as it says and
    /// ask again
    #[arg(long, global = true)]
    pub(crate) wait: bool,
}

impl Options {
    pub(crate) fn format(&self) -> Format {
        if self.json { Format::Json } else { self.format }
    }

    /// The same for who goes on where it is too soon to ask.
    pub(crate) fn impatient(&self) -> Self {
        Self { wait: false, ..self.clone() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people and shell scripts
    Text,
    /// One line of JSON
    Json,
    /// OpenMetrics text
    Openmetrics,
    /// The classic text format of Prometheus
    Prometheus,
    /// As a plugin of Nagios or Icinga, with its exit status
    Nagios,
}

#[cfg(test)]
#[path = "args/tests.rs"]
mod tests;
