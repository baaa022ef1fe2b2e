//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};
use hostinfo_wire::duration;
use hostinfo_wire::name::is_name;

/// Where the broker listens, and is looked for.
pub(crate) const BROKER: &str = "/run/hostinfo.sock";

const EXAMPLES: &str = "\
Examples:
  hostinfo                             is it me or my host? At most eight lines
  hostinfo --all                       everything the host lets this guest see
  hostinfo loadavg verdict.cpu         some of it, as NAME=VALUE lines for scripts
  hostinfo diagnose                    observe for a minute, and conclude in sentences
  hostinfo top                         the host's and the guest's own figures, live
  hostinfo record slow.rec --for 24h   record both for a day, for hostinfo report
  hostinfo list memory                 what this guest may ask about the host's memory
  hostinfo --json vm.cpu               JSON, for programs
  hostinfo --json --every 60s          a line of JSON each minute
  hostinfo --format prometheus --output /var/lib/node_exporter/host.prom
                                       for node_exporter's textfile collector

Exit status:
  0  everything asked for was answered
  1  it failed
  2  the command line is wrong
  3  some of it was refused or is not available
  4  too soon: ask again later, or use --wait
  5  no host answers
  10, 11, 12  conclusions of diagnose: see hostinfo diagnose --help

On Windows:
  There is no serve, and diagnose, top and record have the host's view alone, since the
  guest's own figures come from Linux's /proc.";

const GET: &str = "\
Examples:
  hostinfo get loadavg.1               one statistic
  hostinfo get memory vm.cpu           two groups
  hostinfo get --wait verdict.io       why are disks slow? Waits until the host knows
  load=$(hostinfo get loadavg.1) && echo \"${load#*=}\"";

const LIST: &str = "\
Examples:
  hostinfo list                        everything this guest may ask for
  hostinfo list vm.disk                statistics of its disks
  hostinfo list --json                 JSON, for programs";

const DIAGNOSE: &str = "\
Examples:
  hostinfo diagnose                    observe for a minute, and conclude in sentences
  hostinfo diagnose --for 10m cpu      observe only CPU time, for ten minutes
  hostinfo diagnose --json             JSON, for programs
  hostinfo diagnose --format nagios    as a plugin for Nagios or Icinga

A verdict of the host covers its last 60 s or less, however long or short this guest observes. In less than 10 s, \
this guest's own figures say little of its programs: hostinfo itself is one of them.

The exit status of diagnose: 0 it is not the host, 10 it is the host, 11 it is this guest's own limit, \
12 unknown, 3 this guest may not see verdicts, 5 no host answers. With --format nagios: 0 it \
is not the host, 1 it is this guest's own limit, 2 it is the host, 3 anything else.";

const TOP: &str = "\
Examples:
  hostinfo top                         every 2 s, until q
  hostinfo top --every 10s             a longer history, and fewer queries

hostinfo top shows the host's verdicts with their reasons, and below them the figures of the host (host) and of \
this guest's own kernel (guest), with the newest on the right. It needs a terminal of 40 columns and 10 lines; a \
serial console will do, and colours are not needed.";

const RECORD: &str = "\
Examples:
  hostinfo record slow.rec             every 10 s, until Ctrl-C
  hostinfo record slow.rec --for 24h   a day, in less than 2 MiB
  hostinfo record slow.rec --every 1m --for 1h &

If FILE is a recording, hostinfo record appends to it; any other existing file is refused and left unchanged. A \
recording stays readable however this program or the guest ends.";

const REPORT: &str = "\
Examples:
  hostinfo report slow.rec > report.html
                                       a page for a browser, or for your provider
  hostinfo report slow.rec --text      the same as text, without charts
  hostinfo report slow.rec             also text, if the output is a terminal

The page is one self-contained file without scripts. It has a summary, the host's verdicts over time, incidents, \
and charts that compare the host's figures with those of this guest's own kernel.";

const SERVE: &str = "\
Examples:
  hostinfo serve                       hostinfo then asks the broker
  curl localhost:4679/metrics          what Prometheus gets
  hostinfo serve --mode 0660 --listen none

It asks the host for everything, no more often than this guest may, and answers all programs from that, so none \
of them ever asks too soon. The installed unit hostinfo-serve.socket starts it at the first question.";

const PING: &str = "\
Examples:
  hostinfo ping                        hostinfo/1 answers on /dev/ttyS1 in 1.25 ms
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

/// Options of all commands that some do not take, or that mean something else there: their help has
/// its own text for those, and does not show the others.
const OTHERWISE: [(&str, &[&str], Option<&str>); 6] = [
    (
        "top",
        &["format", "json", "output", "wait"],
        Some("How often to take a sample [default: 2s]"),
    ),
    (
        "record",
        &["format", "json", "output", "wait"],
        Some("How often to take a sample [default: 10s]"),
    ),
    ("report", &["format", "json", "every", "device", "timeout", "wait"], None),
    ("serve", &["format", "json", "output", "every", "wait"], None),
    ("ping", &["wait"], Some("Repeat it, such as every 15s")),
    ("diagnose", &[], Some("Repeat it: the time from one start to the next, such as 10m")),
];

/// The command line.
pub(crate) fn command() -> clap::Command {
    let command = Args::command();
    let all: Vec<clap::Arg> =
        command.get_arguments().filter(|arg| arg.is_global_set()).cloned().collect();
    command.mut_subcommands(|command| {
        let named = OTHERWISE.iter().find(|(name, ..)| *name == command.get_name());
        let Some((_, refused, every)) = named else { return command };
        let own = all.iter().filter_map(|arg| match arg.get_id().as_str() {
            id if refused.contains(&id) => Some(arg.clone().hide(true)),
            "every" => every.map(|help| arg.clone().help(help)),
            _ => None,
        });
        command.args(own.collect::<Vec<_>>())
    })
}

/// Reads the command line.
///
/// # Errors
/// What clap says of it; help and the version, too.
pub(crate) fn parse(
    words: impl IntoIterator<Item = impl Into<std::ffi::OsString> + Clone>,
) -> Result<Args, clap::Error> {
    Args::from_arg_matches(&command().try_get_matches_from(words)?)
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
    /// Show what this guest may ask for: NAME KIND UNIT DESCRIPTION
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

#[derive(Debug, clap::Args)]
pub(crate) struct Diagnose {
    /// What to observe [default: all of them]
    #[arg(value_name = "RESOURCE", value_parser = ["cpu", "memory", "io", "net"])]
    resources: Vec<String>,
    /// How long to observe, such as 90, 90s or 10m [default: 60s; 5s with --format nagios]
    #[arg(long = "for", value_name = "TIME", value_parser = time)]
    pub(crate) time: Option<Duration>,
}

impl Diagnose {
    /// Whether that is to be looked at.
    pub(crate) fn wants(&self, resource: &str) -> bool {
        self.resources.is_empty() || self.resources.iter().any(|wanted| wanted == resource)
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct Record {
    /// A new file, or a recording to append to
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// How long to record, such as 90s, 10m or 24h [default: until Ctrl-C]
    #[arg(long = "for", value_name = "TIME", value_parser = time)]
    pub(crate) time: Option<Duration>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Report {
    /// A recording made by hostinfo record, which may still be running
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Write text instead of HTML
    #[arg(long)]
    pub(crate) text: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Serve {
    /// The socket for programs; - for the one on standard input, as systemd passes it
    #[arg(long, value_name = "PATH", default_value = BROKER)]
    pub(crate) socket: PathBuf,
    /// Who may ask: the socket's mode, in octal
    #[arg(long, value_name = "MODE", value_parser = mode, default_value = "0666")]
    pub(crate) mode: u32,
    /// Where Prometheus scrapes /metrics: a loopback address and port, or none
    #[arg(long, value_name = "ADDRESS", value_parser = listen, default_value = "127.0.0.1:4679")]
    pub(crate) listen: Listen,
}

/// Where Prometheus scrapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listen {
    Nowhere,
    At(SocketAddr),
}

impl Listen {
    pub(crate) fn address(self) -> Option<SocketAddr> {
        match self {
            Self::Nowhere => None,
            Self::At(address) => Some(address),
        }
    }
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
    /// \\.\Global\org.hostinfo.0 and COM2]
    #[arg(
        long,
        global = true,
        value_name = "PATH",
        env = "HOSTINFO_DEVICE",
        hide_env_values = true
    )]
    pub(crate) device: Option<PathBuf>,
    /// How long to wait for a silent host or a busy port before giving up
    #[arg(long, global = true, value_name = "SECONDS", value_parser = seconds, default_value = "5")]
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

/// A word that may stand in a request. It is checked here because a line end in it would
/// begin another request.
fn name(word: &str) -> Result<String, String> {
    let stem = word.strip_suffix(".*").unwrap_or(word);
    if word == "*" || is_name(stem) {
        Ok(word.to_owned())
    } else {
        Err("a name consists of letters, digits, _ and -, with single dots between its parts"
            .to_owned())
    }
}

fn mode(text: &str) -> Result<u32, String> {
    const MOST: u32 = 0o777;
    let mode = u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= MOST);
    mode.ok_or_else(|| "an octal number up to 0777, such as 0660".to_owned())
}

fn listen(text: &str) -> Result<Listen, String> {
    match text.parse::<SocketAddr>() {
        _ if text == "none" => Ok(Listen::Nowhere),
        Ok(address) if address.ip().is_loopback() => Ok(Listen::At(address)),
        Ok(_) => {
            Err("only a loopback address is allowed: others could see this guest's figures"
                .to_owned())
        }
        Err(_) => Err("an address and a port, such as 127.0.0.1:4679, or none".to_owned()),
    }
}

fn time(text: &str) -> Result<Duration, String> {
    const LEAST: Duration = Duration::from_secs(1);
    const MOST: Duration = Duration::from_secs(24 * 3600);
    duration::parse(text, LEAST..=MOST)
        .ok_or_else(|| "a time from 1s to 24h, such as 90, 90s or 10m".to_owned())
}

fn seconds(text: &str) -> Result<Duration, String> {
    const LONGEST: f64 = 3600.0;
    match text.parse() {
        Ok(seconds) if seconds > 0.0 && seconds <= LONGEST => Ok(Duration::from_secs_f64(seconds)),
        _ => Err(format!("a number of seconds over 0, at most {LONGEST}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Args, clap::Error> {
        super::parse(std::iter::once("hostinfo").chain(line.split_whitespace()))
    }

    #[test]
    fn the_command_line_is_one_that_clap_finds_consistent() {
        command().debug_assert();
    }

    #[test]
    fn options_may_stand_before_and_behind_the_command() {
        for line in ["--json get physcpus", "get physcpus --format json"] {
            assert_eq!(parse(line).unwrap().options.format(), Format::Json, "{line}");
        }
    }

    #[test]
    fn names_without_a_command_are_those_of_get() {
        let args = parse("loadavg --json vm.cpu").unwrap();
        assert_eq!(args.names, ["loadavg", "vm.cpu"]);
        assert_eq!(args.options.format(), Format::Json);
        assert!(args.command.is_none());
    }

    #[test]
    fn a_misspelt_name_is_compared_with_every_command() {
        let mut command = command();
        command.build();
        let all = command.get_subcommands().map(|command| command.get_name().to_owned());
        assert_eq!(all.collect::<Vec<_>>(), commands());
    }

    #[test]
    fn help_of_a_command_shows_only_what_it_takes_and_says_how_often_it_does_it() {
        let help = |name: &str| {
            let mut command = command();
            command.build();
            let own = command.find_subcommand_mut(name).unwrap();
            own.render_long_help().to_string()
        };
        for (name, refused) in [("top", "--json"), ("record", "--output"), ("report", "--device")] {
            assert!(!help(name).contains(refused), "{}", help(name));
        }
        assert!(help("record").contains("[default: 10s]") && help("top").contains("[default: 2s]"));
        assert!(help("get").contains("--json") && help("ping").contains("--json"));
        assert!(!help("report").contains("--every"));
        let args = parse("record a --every 5s --device x").unwrap().options;
        assert_eq!((args.every, args.device), (Some(Duration::from_secs(5)), Some("x".into())));
        assert!(parse("--json record a").unwrap().options.json, "it is refused with a reason");
    }

    #[test]
    fn what_cannot_stand_in_a_request_is_no_name() {
        for word in ["", "a b", "a\nping", "GET /metrics/XML", "a..b", "**", ".*", "\u{ff}"] {
            assert!(name(word).is_err(), "{word:?}");
        }
        for word in ["*", "memory", "vm.disk.vda.read.bytes", "session.*"] {
            assert!(name(word).is_ok(), "{word:?}");
        }
    }

    #[test]
    fn get_needs_a_name_and_a_timeout_is_a_positive_number_of_seconds() {
        for line in ["get", "--timeout 0", "--timeout -1", "--timeout x", "--timeout inf", "--frob"]
        {
            assert!(parse(line).is_err(), "{line}");
        }
        assert_eq!(parse("--timeout 0.25").unwrap().options.timeout, Duration::from_millis(250));
    }
}
