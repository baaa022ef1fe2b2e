//! `hostinfoctl`, the administrator's tool: which guest has hostinfo, and what it may ask.
//!
//! A file for a command. What several of them need: `libvirt` and `facts` (guests as libvirt has
//! them), `guests` (names and patterns to guests), `plan` (what to change, pure), `change` and
//! `carry_out` (changing it, each guest wholly or not at all), `standing` (what is so then, in
//! words).

mod args;
mod carry_out;
mod change;
mod check;
mod diff;
mod directory;
mod disable;
mod enable;
mod exit;
mod facts;
mod guests;
mod libvirt;
mod list;
mod output;
mod plan;
mod rules;
mod snippet;
mod standing;
mod table;

use std::process::ExitCode;

use args::{Args, Command};
use clap::Parser as _;
use exit::{Failure, Status};

fn main() -> ExitCode {
    exit::code(run(&Args::parse()))
}

fn run(args: &Args) -> Result<Status, Failure> {
    let options = &args.options;
    match &args.command {
        Command::Enable(wanted) => enable::run(options, wanted),
        Command::Disable(wanted) => disable::run(options, wanted),
        Command::Snippet(wanted) => snippet::run(options, wanted),
        Command::List { guests } => list::run(options, guests),
        Command::Check { file, strict } => check::run(options, file.as_deref(), *strict),
        Command::Diff { file, guests } => diff::run(options, file, guests),
    }
}

#[cfg(test)]
mod tests {
    use super::args::{SOCKET_DIR, URI};

    #[test]
    fn what_the_command_line_has_written_again_is_what_the_daemon_has() {
        assert_eq!((SOCKET_DIR, URI), (hostinfo_domains::SOCKET_DIR, hostinfo_domains::URI));
    }
}
