//! The command line, which hostinfod writes.

use std::path::PathBuf;

/// Asks libvirt for hostinfod, which starts it. Not meant to be run by hand.
#[derive(Debug, clap::Parser)]
#[command(version)]
pub(crate) struct Args {
    /// Which libvirt
    #[arg(long, value_name = "URI", default_value = "qemu:///system")]
    pub(crate) connect: String,
    /// The directory of the guests' sockets
    #[arg(long, value_name = "DIRECTORY", default_value = "/var/lib/hostinfo")]
    socket_dir: PathBuf,
    /// Tell where libvirt's own channels for vhostmd's clients are
    #[arg(long)]
    pub(crate) vhostmd_channels: bool,
}

impl Args {
    /// Every way to write the directory of the guests' sockets that domains may have.
    pub(crate) fn socket_dirs(&self) -> Vec<PathBuf> {
        let mut ways = vec![self.socket_dir.clone()];
        ways.extend(self.socket_dir.canonicalize().ok().filter(|way| *way != self.socket_dir));
        ways
    }
}
