//! The command line. This file and those in `args/` use nothing else of the crate, because the man page
//! and the shells' completions are made from them too.

// By their paths: `hostinfo-pages` includes this file from another folder.
#[path = "args/change.rs"]
mod change;
#[path = "args/look.rs"]
mod look;
#[path = "args/tell.rs"]
mod tell;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

pub(crate) use change::{Disable, Enable, EnableOptions, Snippet, Tag, Transport};
use change::{ENABLE, FOLLOW, TAG};
pub(crate) use look::{Check, Diff, Format, Incidents, List, State, Stats};
use look::{DIFF, DOCTOR, INCIDENTS, LIST, STATS};
pub(crate) use tell::{HostState, Kind, Notice, StateToSet};

/// Defaults: the sockets of guests, libvirt's URI, the rules, the daemon's settings, its control socket,
/// and its state.
pub(crate) const SOCKET_DIR: &str = "/var/lib/hostinfo";
pub(crate) const URI: &str = "qemu:///system";
pub(crate) const RULES: &str = "/etc/hostinfo/hostinfo.conf";
pub(crate) const CONFIG: &str = "/etc/hostinfo/hostinfod.toml";
pub(crate) const CONTROL: &str = "/run/hostinfo/control.sock";
pub(crate) const STATE_DIR: &str = "/var/lib/hostinfod";

/// Number of serial ports that a guest can have.
pub(crate) const UARTS: i64 = 4;

const EXAMPLES: &str = "\
Examples:
  hostinfoctl enable web               web may ask its host from its next start on
  hostinfoctl enable --now 'web-*'     at once, also guests that are running
  hostinfoctl enable --dry-run web     show what would change in its XML
  hostinfoctl enable --follow 'web-*'  give each a channel when it starts, until Ctrl-C
  hostinfoctl tag web role=db          for rules such as `qemu-* role=db:`
  hostinfoctl list                     which guests can ask, and under which rule
  hostinfoctl doctor                   what is wrong on this host, and how to mend it
  hostinfoctl check ./hostinfo.conf    does the file have errors? For CI too
  hostinfoctl diff ./hostinfo.conf     what would it change, and for which guests?
  hostinfoctl explain web memory       which line of the rules lets web see memory, or not?
  hostinfoctl preview web loadavg      what web would get now
  hostinfoctl watch                    the queries of all guests, live
  hostinfoctl notice set 'qemu-*' 'the host goes down at ten' --kind maintenance --at 22:00
  hostinfoctl host-state set draining  tell guests that they are being moved away
  hostinfoctl upgrade                  after an update: the new hostinfod goes on without a gap

Exit status:
  0  done, or nothing had to be done
  1  something was refused or failed; for check, the file has errors; for status and doctor,
     something is wrong; for diff --exit-code, something would change
  2  the command line is wrong
  3  there is no such guest
  4  libvirt cannot be reached, or does not answer
  5  hostinfod does not answer
  6  not permitted to this user, or over a read-only connection";

const UPGRADE: &str = "\
The daemon runs the installed program once, to see whether it can go on with everything: connections, half-received \
lines, unsent replies, intervals, sessions, incidents and watches. If it can, the daemon executes it, and its process \
number stays the same. If it cannot, or does not answer within 2 s, nothing changes, and the reason is printed and \
logged: then only a restart helps (systemctl restart hostinfo). The process stays confined as the version that was \
started: if the new one is stricter, the log asks for a restart. A daemon that is too old to know this \
command is restarted. Other clients of the control socket, such as hostinfoctl watch, lose their connections.";

const GUESTS: &str = "\
GUEST is a guest's name in libvirt, or $driver-$name, or a pattern of names (without $driver-) as in \
hostinfo.conf. Quote a pattern for the shell: '*' matches any characters, '?' matches one, '[a-z]' \
matches one of a set, and '\\' makes the next character literal.";

/// Show and set which guests may ask their host, and for what.
#[derive(Debug, Parser)]
#[command(name = "hostinfoctl", version, after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) options: Options,
}

/// Options that every command has.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// The libvirt to use, as with virsh
    #[arg(
        short,
        long,
        global = true,
        value_name = "URI",
        env = "LIBVIRT_DEFAULT_URI",
        hide_env_values = true,
        default_value = URI
    )]
    pub(crate) connect: String,
    /// The socket directory
    #[arg(
        long = "socket-dir",
        global = true,
        value_name = "DIR",
        default_value = SOCKET_DIR,
        value_parser = absolute
    )]
    pub(crate) directory: PathBuf,
    /// The rules file
    #[arg(long, global = true, value_name = "FILE", default_value = RULES)]
    pub(crate) rules: PathBuf,
    /// The daemon's settings, such as what tags there are
    #[arg(long, global = true, value_name = "FILE", default_value = CONFIG)]
    pub(crate) config: PathBuf,
    /// The daemon's control socket
    #[arg(long, global = true, value_name = "PATH", default_value = CONTROL)]
    pub(crate) control: PathBuf,
    /// Write JSON, for programs
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Give guests a port to ask their host
    #[command(after_help = format!("{ENABLE}\n\n{FOLLOW}\n\n{GUESTS}"))]
    Enable(Enable),
    /// Remove guests' ports
    #[command(after_help = GUESTS)]
    Disable(Disable),
    /// Show or set guests' tags, which rules can have conditions on
    #[command(after_help = format!("{TAG}\n\n{GUESTS}"))]
    Tag(Tag),
    /// Print what to add to a guest's XML, and the options for virt-install and virt-xml
    Snippet(Snippet),
    /// Show guests, whether they can ask, and under which rule
    #[command(after_help = format!("{LIST}\n\n{GUESTS}"))]
    List(List),
    /// Check a rules file for errors and warnings
    Check(Check),
    /// Show what a new rules file would change, and for which guests
    #[command(after_help = format!("{DIFF}\n\n{GUESTS}"))]
    Diff(Diff),
    /// Look for everything that keeps guests from asking, with or without a daemon, and name the remedies
    #[command(after_help = format!("{DOCTOR}\n\n{GUESTS}"))]
    Doctor {
        /// Which guests [default: all that have something wrong]
        #[arg(value_name = "GUEST", value_parser = name)]
        guests: Vec<String>,
    },
    /// Show the state of the daemon, and any problems
    Status,
    /// Show which guests suffered, when, and from what
    #[command(after_help = format!("{INCIDENTS}\n\n{GUESTS}"))]
    Incidents(Incidents),
    /// Show what a configuration of vhostmd becomes: rules, settings and custom statistics
    ImportVhostmd {
        /// vhostmd's file, /etc/vhostmd/vhostmd.conf
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Show guests' queries and replies as they happen, until Ctrl-C
    Watch {
        /// Which guest [default: all]
        #[arg(value_name = "GUEST", value_parser = name)]
        guest: Option<String>,
    },
    /// Show the daemon's own metrics, or write them to a file for Prometheus
    #[command(after_help = STATS)]
    Stats(Stats),
    /// Show what a guest may see, and which line of the rules file decides it
    Explain {
        /// The guest: its name, or $driver-$name, which need not exist yet
        #[arg(value_name = "GUEST", value_parser = name)]
        guest: String,
        /// Statistics (memory.total) or groups (memory) [default: all]
        #[arg(value_name = "STATISTIC")]
        names: Vec<String>,
    },
    /// Show what a guest would get now, without counting it as a query
    Preview {
        /// The guest: its name, or $driver-$name
        #[arg(value_name = "GUEST", value_parser = name)]
        guest: String,
        /// Statistics (memory.total), groups (memory) or '*' [default: all]
        #[arg(value_name = "NAME")]
        names: Vec<String>,
    },
    /// Manage notices, which guests see before anything else
    #[command(subcommand)]
    Notice(Notice),
    /// Show or set what guests read as host.state
    HostState {
        #[command(subcommand)]
        wanted: Option<HostState>,
    },
    /// Have the running daemon go on as the installed program; guests notice nothing
    #[command(after_help = UPGRADE)]
    Upgrade,
}

fn name(text: &str) -> Result<String, &'static str> {
    if text.is_empty() { Err("a guest's name cannot be empty") } else { Ok(text.to_owned()) }
}

/// libvirt accepts only absolute paths.
fn absolute(text: &str) -> Result<PathBuf, String> {
    if text.starts_with('/') {
        Ok(PathBuf::from(text))
    } else {
        Err("the path has to begin with /".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    fn parse(line: &str) -> Result<Args, clap::Error> {
        Args::try_parse_from(std::iter::once("hostinfoctl").chain(line.split_whitespace()))
    }

    #[test]
    fn the_command_line_is_one_that_clap_finds_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn arguments_that_are_wrong_or_cannot_go_together_are_refused() {
        for line in [
            "enable",
            "enable a --now --port 2",
            "enable a --port 2 --transport channel",
            "enable --follow",
            "enable --follow a --now",
            "enable --follow a --transport channel",
            "frob",
            "snippet a b",
            "notice clear",
            "notice clear 1 --all",
            "host-state draining",
            "host-state set",
            "host-state set down",
            "stats --json --format prometheus",
            "stats --format graphite",
            "snippet a --port 4",
            "enable a --port -1",
            "tag",
            "tag a --remove",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
        for no_name in
            [&["snippet", ""][..], &["enable", "a", ""], &["watch", ""], &["explain", ""]]
        {
            let line = [&["hostinfoctl"], no_name].concat();
            assert!(Args::try_parse_from(line).is_err(), "{no_name:?}");
        }
        assert!(parse("list --socket-dir x").is_err(), "a path that is not absolute");
        assert!(parse("enable -c test:///default a b --json --now").is_ok());
        assert!(parse("enable --follow a* b role=db --json --dry-run").is_ok());
        assert!(parse("stats --format prometheus --output x.prom").is_ok());
        assert!(parse("stats --json --output x.json").is_ok());
    }
}
