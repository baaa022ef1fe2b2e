//! The command line. This file uses nothing else of the crate, because the man page and the shells'
//! completions are made from it too.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum, value_parser};

/// Default paths: the sockets of guests, libvirt's URI, the rules file, and the daemon's control
/// socket.
pub(crate) const SOCKET_DIR: &str = "/var/lib/hostinfo";
pub(crate) const URI: &str = "qemu:///system";
pub(crate) const RULES: &str = "/etc/hostinfo/hostinfo.conf";
pub(crate) const CONFIG: &str = "/etc/hostinfo/hostinfod.toml";
pub(crate) const CONTROL: &str = "/run/hostinfo/control.sock";

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
  1  something was refused or failed; for check, the file has errors; for status, something is wrong
  2  the command line is wrong
  3  there is no such guest
  4  libvirt cannot be reached, or does not answer
  5  hostinfod does not answer
  6  not permitted to this user, or over a read-only connection";

const UPGRADE: &str = "\
The daemon runs the installed program once, to see whether it can go on with everything: connections, half-received \
lines, unsent replies, intervals, sessions, incidents and watches. If it can, the daemon executes it, and its process \
number stays the same. If it cannot, or does not answer within 2 s, nothing changes, and the reason is printed and \
logged: then only a restart helps (systemctl restart hostinfo). A daemon from before there was this command is \
restarted. Other clients of the control socket, such as hostinfoctl watch, lose their connections.";

const GUESTS: &str = "\
GUEST is a guest's name in libvirt, or $driver-$name, or a pattern of names (without $driver-) as in \
hostinfo.conf. Quote a pattern for the shell: '*' matches any characters, '?' matches one, '[a-z]' \
matches one of a set, and '\\' makes the next character literal.";

const ENABLE: &str = "\
Examples:
  hostinfoctl enable web             serial port 1, from its next start
  hostinfoctl enable --now 'web-*'   running guests get a channel at once
  hostinfoctl enable --repair web    after it was renamed or cloned
  hostinfoctl enable --follow '*'    every guest gets a channel when it starts
  hostinfoctl enable --follow 'web-*' 'db-*' project-name=acme";

const FOLLOW: &str = "\
With --follow, hostinfoctl runs until it is ended (Ctrl-C, SIGTERM), and gives a channel to each guest that \
matches and has no port: those that run already, and all others as soon as they start, transient ones too. \
Any of the patterns has to match, and all KEY=VALUE, which are conditions on tags as in hostinfo.conf. What \
a guest is started from stays as it is. A guest that no longer matches keeps its channel until it ends. A \
guest needs a virtio-serial controller, as every guest with a guest agent has. The service hostinfo-follow \
does this for the guests in /etc/hostinfo/follow.conf.";

const TAG: &str = "\
Examples:
  hostinfoctl tag web role=db tier=gold  set two tags; the others stay
  hostinfoctl tag web --remove tier      remove one
  hostinfoctl tag web                    show all tags, also those that other programs set

Tags are stored in the domain's metadata, in what runs and in what it is started from, and are in force \
within a second.";

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
    #[arg(long, global = true, value_name = "DIR", default_value = SOCKET_DIR, value_parser = absolute)]
    pub(crate) directory: PathBuf,
    /// The rules file
    #[arg(long, global = true, value_name = "FILE", default_value = RULES)]
    pub(crate) rules: PathBuf,
    /// The daemon's settings, which say what tags there are
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
    #[command(after_help = GUESTS)]
    List {
        /// Which guests [default: all]
        #[arg(value_name = "GUEST", value_parser = name)]
        guests: Vec<String>,
    },
    /// Check a rules file for errors and warnings
    Check {
        /// The file [default: the one named by --rules]
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
        /// Fail on warnings too
        #[arg(long)]
        strict: bool,
    },
    /// Show what a new rules file would change, and for which guests
    #[command(after_help = GUESTS)]
    Diff {
        /// The new file
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Which guests [default: all]
        #[arg(value_name = "GUEST", value_parser = name)]
        guests: Vec<String>,
    },
    /// Show the state of the daemon, and any problems
    Status,
    /// Show guests' queries and replies as they happen, until Ctrl-C
    Watch {
        /// Which guest [default: all]
        #[arg(value_name = "GUEST", value_parser = name)]
        guest: Option<String>,
    },
    /// Show the daemon's own metrics
    Stats {
        /// Write OpenMetrics text, for Prometheus
        #[arg(long, conflicts_with = "json")]
        openmetrics: bool,
    },
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

#[derive(Debug, Subcommand)]
pub(crate) enum Notice {
    /// Set a notice; it outlives a restart of the daemon
    #[command(after_help = TIMES)]
    Set {
        /// Which guests: a pattern of $driver-$name as in hostinfo.conf ('qemu-web*')
        #[arg(value_name = "PATTERN")]
        pattern: String,
        /// The text that guests read
        #[arg(value_name = "TEXT")]
        text: String,
        /// What the notice is about
        #[arg(long, value_enum, default_value_t = Kind::Info)]
        kind: Kind,
        /// When the event begins [default: now]
        #[arg(long, value_name = "TIME")]
        at: Option<String>,
        /// When the notice ends
        #[arg(long, value_name = "TIME")]
        until: Option<String>,
    },
    /// Show all notices
    List,
    /// Remove notices
    Clear {
        /// Their numbers, as list shows them
        #[arg(required_unless_present = "all", value_name = "NUMBER")]
        numbers: Vec<u64>,
        /// Remove all notices
        #[arg(long, conflicts_with = "numbers")]
        all: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum HostState {
    /// Set the state; it outlives a restart of the daemon
    Set {
        /// What guests read
        #[arg(value_enum, value_name = "STATE")]
        state: StateToSet,
        /// Why: shown only to the host's administrators
        #[arg(value_name = "TEXT")]
        text: Option<String>,
    },
}

/// A state of the host that guests can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StateToSet {
    /// The host is as it should be
    Normal,
    /// Its guests are being moved away or shut down
    Draining,
    /// Something is broken, and the host runs with less
    Degraded,
}

/// What a notice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Work on the host is planned
    Maintenance,
    /// The guest will be moved to another host
    Migration,
    /// Anything else
    Info,
}

const TIMES: &str = "\
TIME is 22:00 (the next time it is 22:00) or '2026-11-22 22:00', both in this host's time zone, \
+90m or +2h (from now), or RFC 3339 (2026-11-22T22:00:00Z). With --until, 23:00 and +1h count from \
--at.";

#[derive(Debug, clap::Args)]
pub(crate) struct Enable {
    /// Which guests; with --follow also KEY=VALUE, for guests with that tag
    #[arg(required = true, value_name = "GUEST", value_parser = name)]
    pub(crate) guests: Vec<String>,
    /// Serial port or virtio channel [default: serial port 1; a channel if that is taken, if the
    /// guest has a console but no serial port, or with --now]
    #[arg(long, value_enum)]
    pub(crate) transport: Option<Transport>,
    /// Number of the serial port, as N in ttySN [default: 1]; at any other, the guest's tool needs
    /// --device
    #[arg(long, value_name = "N", conflicts_with = "transport", value_parser = value_parser!(u32).range(0..UARTS))]
    pub(crate) port: Option<u32>,
    /// Also hot-plug a channel into running guests that have a virtio-serial controller
    #[arg(long, conflicts_with = "port")]
    pub(crate) now: bool,
    /// Also add the channel for vhostmd's clients
    #[arg(long)]
    pub(crate) vhostmd: bool,
    /// Repair a guest that has two ports, or the socket of another guest
    #[arg(long)]
    pub(crate) repair: bool,
    /// Keep running, and give guests a channel when they start
    #[arg(long, conflicts_with_all = ["transport", "port", "now", "vhostmd", "repair"])]
    pub(crate) follow: bool,
    /// Only show what would change, as libvirt would write it; with --follow, which guests would get
    /// a channel now
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Disable {
    /// Which guests
    #[arg(required = true, value_name = "GUEST", value_parser = name)]
    pub(crate) guests: Vec<String>,
    /// Only show what would change
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Tag {
    /// Which guests
    #[arg(value_name = "GUEST", value_parser = name)]
    pub(crate) guest: String,
    /// Tags to set [default: show all tags]
    #[arg(value_name = "KEY=VALUE")]
    pub(crate) tags: Vec<String>,
    /// Remove a tag that was set before
    #[arg(long, value_name = "KEY")]
    pub(crate) remove: Vec<String>,
    /// Only show what would change
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Snippet {
    /// The guest's name; the guest need not exist yet
    #[arg(value_name = "GUEST", value_parser = name)]
    pub(crate) guest: String,
    /// Serial port or virtio channel [default: as enable chooses]
    #[arg(long, value_enum)]
    pub(crate) transport: Option<Transport>,
    /// Number of the serial port, as N in ttySN [default: 1]; at any other, the guest's tool needs
    /// --device
    #[arg(long, value_name = "N", conflicts_with = "transport", value_parser = value_parser!(u32).range(0..UARTS))]
    pub(crate) port: Option<u32>,
    /// Print the channel for vhostmd's clients instead
    #[arg(long, conflicts_with_all = ["transport", "port"])]
    pub(crate) vhostmd: bool,
}

/// A kind of port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Transport {
    /// A UART: every guest has a driver; takes effect at the guest's next start
    Serial,
    /// A virtio channel: fast, loses nothing, can be hot-plugged
    Channel,
}

/// Every guest has a name.
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
    fn what_cannot_go_together_is_refused() {
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
            "stats --json --openmetrics",
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
        assert!(parse("list --directory x").is_err(), "a path that is not absolute");
        assert!(parse("enable -c test:///default a b --json --now").is_ok());
        assert!(parse("enable --follow a* b role=db --json --dry-run").is_ok());
    }
}
