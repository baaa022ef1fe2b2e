//! The command line.

use std::path::PathBuf;

use clap::Parser;

// What is said here overrides the settings file.
/// Answers what this host's guests ask, as far as the administrator lets them
#[derive(Debug, Parser)]
#[command(name = "hostinfod", version, after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Settings of the daemon [default: /etc/hostinfo/hostinfod.toml, where there is one]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Which guest may ask what, how often [default: /etc/hostinfo/hostinfo.conf]
    #[arg(long, value_name = "FILE")]
    pub(crate) rules: Option<PathBuf>,

    /// Where the guests' sockets are [default: /var/lib/hostinfo]
    #[arg(long, value_name = "DIR")]
    pub(crate) socket_dir: Option<PathBuf>,

    /// Where the host's secret and notices are kept [default: /var/lib/hostinfod]
    #[arg(long, value_name = "DIR")]
    pub(crate) state_dir: Option<PathBuf>,

    /// The control socket [default: /run/hostinfo/control.sock]
    #[arg(long, value_name = "PATH")]
    pub(crate) control: Option<PathBuf>,

    /// Make a pseudo-terminal too, print its path, and serve it as the guest pty-local
    #[arg(long)]
    pub(crate) pty: bool,

    /// Read the host's figures below this directory [default: /proc]
    #[arg(long, value_name = "DIR")]
    pub(crate) proc_root: Option<PathBuf>,

    /// Read the host's figures below this directory [default: /sys]
    #[arg(long, value_name = "DIR")]
    pub(crate) sys_root: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  hostinfod                          serve every socket in /var/lib/hostinfo
  hostinfod --pty                    try it without a guest:
                                     hostinfo --device PATH asks it
  hostinfod --rules ./hostinfo.conf  with other rules

Signals:
  SIGHUP              read the rules and the settings again, open the log file anew
  SIGTERM, SIGINT     end

Exit status:
  0   ended by a signal
  1   failed
  2   usage
  78  the rules or the settings have an error, or it may not use the directory of the sockets";

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_well_formed() {
        Args::command().debug_assert();
    }
}
