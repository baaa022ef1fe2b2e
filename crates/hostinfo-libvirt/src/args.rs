//! The command line, which hostinfod or hostinfoctl writes.

use std::path::PathBuf;

use hostinfo_domains::{SOCKET_DIR, TagSources, URI};

/// Asks libvirt for hostinfod or hostinfoctl, which start it. Not meant to be run by hand.
#[derive(Debug, clap::Parser)]
#[command(version)]
pub(crate) struct Args {
    /// The libvirt to use, as with virsh
    #[arg(long, value_name = "URI", default_value = URI)]
    pub(crate) connect: String,
    /// The socket directory
    #[arg(long, value_name = "DIRECTORY", default_value = SOCKET_DIR)]
    pub(crate) socket_dir: PathBuf,
    /// Report where libvirt's own channels for vhostmd's clients are
    #[arg(long)]
    pub(crate) vhostmd_channels: bool,
    /// Which tags of domains to look for, in JSON
    #[arg(long, value_name = "JSON")]
    pub(crate) tags: Option<TagSources>,
    /// Give up by Landlock what only hostinfod needs
    #[arg(long)]
    pub(crate) confine: bool,
    /// Give up by seccomp what only hostinfod needs
    #[arg(long)]
    pub(crate) filter: bool,
    /// Take hostinfoctl's orders
    #[arg(long, value_name = "ACCESS")]
    pub(crate) orders: Option<Access>,
}

/// What hostinfoctl wants of libvirt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Access {
    /// A read-only connection
    Read,
    /// One that can change domains
    Write,
}
