//! The command line.

use std::path::PathBuf;

use clap::Parser;

/// Connects to guests' sockets that hostinfod may not open, and passes the connections to it.
///
/// systemd starts it when hostinfod asks, with the socket as standard input: hostinfo-open.socket. It connects only
/// to sockets that match a [[sockets]] of hostinfod.toml, and serves only the main process of hostinfo.service.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Args {
    /// The settings of hostinfod. Only root may be able to write them
    #[arg(long, value_name = "FILE", default_value = "/etc/hostinfo/hostinfod.toml")]
    pub(crate) config: PathBuf,

    /// The systemd unit whose main process may ask
    #[arg(long, value_name = "UNIT", default_value = "hostinfo.service")]
    pub(crate) unit: String,
}
