//! The command line.

use std::path::PathBuf;

use clap::Parser;

// Arguments override the settings file.
/// Answers the questions of this host's guests, as far as the administrator permits
#[derive(Debug, Parser)]
#[command(name = "hostinfod", version, after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Settings of the daemon [default: /etc/hostinfo/hostinfod.toml, if it exists]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// The rules: which guest may ask for what, and how often [default: /etc/hostinfo/hostinfo.conf]
    #[arg(long, value_name = "FILE")]
    pub(crate) rules: Option<PathBuf>,

    /// The socket directory [default: /var/lib/hostinfo]
    #[arg(long, value_name = "DIR")]
    pub(crate) socket_dir: Option<PathBuf>,

    /// Directory of the host's secret and state, notices and incidents [default: /var/lib/hostinfod]
    #[arg(long, value_name = "DIR")]
    pub(crate) state_dir: Option<PathBuf>,

    /// The control socket [default: /run/hostinfo/control.sock]
    #[arg(long, value_name = "PATH")]
    pub(crate) control: Option<PathBuf>,

    /// Only check the settings and the rules for errors, and exit
    #[arg(long, conflicts_with = "pty")]
    pub(crate) check: bool,

    /// Also make a pseudo-terminal, print its path, and serve it as the guest pty-local
    #[arg(long)]
    pub(crate) pty: bool,

    /// Read the host's figures from here instead of /proc
    #[arg(long, value_name = "DIR")]
    pub(crate) proc_root: Option<PathBuf>,

    /// Read the host's figures from here instead of /sys
    #[arg(long, value_name = "DIR")]
    pub(crate) sys_root: Option<PathBuf>,

    /// Check that this program can go on with the document of a running daemon, at that descriptor, and exit
    #[arg(long, value_name = "FD", hide = true)]
    pub(crate) check_handover: Option<u32>,

    /// Go on with what a running daemon has handed over, at standard input
    #[arg(long, hide = true)]
    pub(crate) handover: bool,
}

const EXAMPLES: &str = "\
Examples:
  hostinfod                          serve every socket in /var/lib/hostinfo
  hostinfod --pty                    try it without a guest: ask with
                                     hostinfo --device PATH
  hostinfod --rules ./hostinfo.conf  use other rules
  hostinfod --check                  would it start with these settings and rules?

Signals:
  SIGHUP              reload the rules and the settings, reopen the log file
  SIGUSR1             upgrade: execute the program anew, without a gap
  SIGTERM, SIGINT     exit

Exit status:
  0   ended by a signal; with --check: no errors
  1   failed
  2   the command line is wrong
  78  the rules or the settings have an error, or the socket directory cannot be used";

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_well_formed() {
        Args::command().debug_assert();
    }
}
