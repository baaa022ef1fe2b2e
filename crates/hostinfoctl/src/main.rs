//! `hostinfoctl`, the administrator's tool: which guests have hostinfo, and what they may ask.
//!
//! Each command has a file. What several of them need:
//!
//! - of guests: `libvirt` and `facts` (as libvirt describes them), `uri` (which libvirt that is), `tags` (their tags),
//!   `guests` (names and patterns to guests), `present` (which exist, also without libvirt), `row` and `state` (one in
//!   a list), `held` and `sock_diag` (programs that hold their ports);
//! - of hostinfod: `daemon` (what it knows), `rules` (those in force, or a file's), `settings` (what is needed of its
//!   settings), `directory` (that of the sockets);
//! - to change guests: `plan` (what to change; pure), `step` (one change), `change` and `carry_out` (changing each
//!   guest completely or not at all), `port_summary` (the result, in words);
//! - to print: `output`, `table`, `time`, `exit` (statuses and complaints), `subprocess` (what other programs print),
//!   `complete` (names for the shells' completion).

mod args;
mod carry_out;
mod change;
mod check;
mod complete;
mod daemon;
mod diff;
mod directory;
mod disable;
mod doctor;
mod enable;
mod exit;
mod explain;
mod facts;
mod follow;
mod guests;
mod held;
mod host_state;
mod import_vhostmd;
mod incidents;
mod libvirt;
mod list;
mod notice;
mod output;
mod plan;
mod port_summary;
mod present;
mod preview;
mod row;
mod rules;
mod settings;
mod snippet;
mod sock_diag;
mod state;
mod stats;
mod status;
mod step;
mod subprocess;
mod table;
mod tag;
mod tags;
mod time;
mod upgrade;
mod uri;
mod watch;

use std::process::ExitCode;

use args::{Args, Command};
use clap::Parser as _;
use exit::{Failure, Status};

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    if words.next().is_some_and(|word| word == complete::OPTION) {
        return complete::run(words);
    }
    exit::code(run(&Args::parse()))
}

fn run(args: &Args) -> Result<Status, Failure> {
    let options = &args.options;
    match &args.command {
        Command::Enable(wanted) if wanted.follow => follow::run(options, wanted),
        Command::Enable(wanted) => enable::run(options, wanted),
        Command::Disable(wanted) => disable::run(options, wanted),
        Command::Tag(wanted) => tag::run(options, wanted),
        Command::Snippet(wanted) => snippet::run(options, wanted),
        Command::List(wanted) => list::run(options, wanted),
        Command::Check(wanted) => check::run(options, wanted),
        Command::Diff(wanted) => diff::run(options, wanted),
        Command::Doctor { guests } => doctor::run(options, guests),
        Command::Incidents(wanted) => incidents::run(options, wanted),
        Command::ImportVhostmd { file } => import_vhostmd::run(options, file),
        Command::Status => status::run(options),
        Command::Watch { guest } => watch::run(options, guest.as_deref()),
        Command::Stats(wanted) => stats::run(options, wanted),
        Command::Explain { guest, names } => explain::run(options, guest, names),
        Command::Preview { guest, names } => preview::run(options, guest, names),
        Command::Notice(wanted) => notice::run(options, wanted),
        Command::HostState { wanted } => host_state::run(options, wanted.as_ref()),
        Command::Upgrade => upgrade::run(options),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn defaults_repeated_in_the_command_line_are_those_of_the_daemon() {
        use super::args::{CONTROL, SOCKET_DIR, URI};
        assert_eq!((SOCKET_DIR, URI), (hostinfo_domains::SOCKET_DIR, hostinfo_domains::URI));
        assert_eq!(CONTROL, hostinfo_control::SOCKET);
        assert_eq!(super::args::UARTS, i64::from(hostinfo_domains::limits::UARTS));
    }
}
