//! The command line of `hostinfo-run`.

use std::path::PathBuf;

use clap::Parser;

/// Runs the administrator's own commands, those of custom.d, for hostinfod.
///
/// systemd starts it when hostinfod asks, with the socket as standard input: hostinfo-run.socket. It runs only commands
/// that it finds in custom.d itself, as its own user, and serves only hostinfod's user.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Args {
    /// The directory of definitions, as in custom_dir of hostinfod.toml. Only root may be able to write to it
    #[arg(long, value_name = "DIR", default_value = "/etc/hostinfo/custom.d")]
    pub(crate) definitions: PathBuf,

    /// The user that hostinfod runs as, who alone may ask
    #[arg(long, value_name = "NAME", default_value = "hostinfo")]
    pub(crate) user: String,

    /// Listen at this path, without systemd
    #[arg(long, value_name = "PATH")]
    pub(crate) listen: Option<PathBuf>,
}
