//! Commands that change guests: which devices and tags they have.

use clap::{ValueEnum, value_parser};

use super::{UARTS, name};

pub(super) const ENABLE: &str = "\
Examples:
  hostinfoctl enable web             serial port 1, from its next start
  hostinfoctl enable --now 'web-*'   running guests get a channel at once
  hostinfoctl enable --repair web    after it was renamed or cloned
  hostinfoctl enable --follow '*'    every guest gets a channel when it starts
  hostinfoctl enable --follow 'web-*' 'db-*' project-name=acme";

pub(super) const FOLLOW: &str = "\
With --follow, hostinfoctl runs until it is ended (Ctrl-C, SIGTERM), and gives a channel to each guest that \
matches and has no port: those that run already, and all others as soon as they start, transient ones too. \
Any of the patterns has to match, and all KEY=VALUE, which are conditions on tags as in hostinfo.conf. What \
a guest is started from stays as it is. A guest that no longer matches keeps its channel until it ends. A \
guest needs a virtio-serial controller, as every guest with a guest agent has. The service hostinfo-follow \
does this for the guests in /etc/hostinfo/follow.conf.";

pub(super) const TAG: &str = "\
Examples:
  hostinfoctl tag web role=db tier=gold  set two tags; the others stay
  hostinfoctl tag web --remove tier      remove one
  hostinfoctl tag web                    show all tags, also those that other programs set

Tags are stored in the domain's metadata, in what runs and in what it is started from, and are in force \
within a second.";

#[derive(Debug, clap::Args)]
pub(crate) struct Enable {
    /// Which guests; with --follow also KEY=VALUE, for guests with that tag
    #[arg(required = true, value_name = "GUEST", value_parser = name)]
    pub(crate) guests: Vec<String>,
    #[command(flatten)]
    pub(crate) wanted: EnableOptions,
    /// Keep running, and give guests a channel when they start
    #[arg(long, conflicts_with_all = ["transport", "port", "now", "vhostmd", "repair"])]
    pub(crate) follow: bool,
    /// Only show what would change, as libvirt would write it; with --follow, which guests would get
    /// a channel now
    #[arg(long)]
    pub(crate) dry_run: bool,
}

// Not a doc comment, which would become the command's.
/// Where the port is wanted, and how.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct EnableOptions {
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
}

#[derive(Debug, clap::Args)]
pub(crate) struct Disable {
    /// Which guests
    #[arg(required = true, value_name = "GUEST", value_parser = name)]
    pub(crate) guests: Vec<String>,
    /// Also unplug the channels of running guests
    #[arg(long)]
    pub(crate) now: bool,
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
