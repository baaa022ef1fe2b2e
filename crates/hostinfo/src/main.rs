//! `hostinfo`, the guest's tool: asks the host over a serial port and shows what it answers.

mod args;
mod blame;
mod brief;
mod broken;
mod color;
mod diagnose;
mod exit;
mod get;
mod host;
mod link;
mod list;
mod nearest;
mod others;
mod output;
mod ping;
mod port;
mod progress;
mod prometheus;
mod question;
mod reply;
mod table;
mod units;
mod verdict;
mod way;

use std::process::ExitCode;

use args::{Args, Command, Format};
use clap::Parser as _;
use exit::{Failure, Outcome};
use host::Host;

fn main() -> ExitCode {
    exit::code(run(&Args::parse()))
}

fn run(args: &Args) -> Result<Outcome, Failure> {
    let mut host = Host::new(&args.options);
    let format = args.options.format();
    match &args.command {
        Some(_) if args.all => {
            Err(Failure::Usage("--all goes with no command: see hostinfo --help".to_owned()))
        }
        Some(Command::Get { names }) => get::run(&mut host, format, names, &[]),
        Some(Command::List { names }) => list::run(&mut host, format, names),
        Some(Command::Diagnose(options)) => diagnose::run(&mut host, format, options),
        Some(Command::Ping) => ping::run(&mut host, format),
        None if !args.names.is_empty() => {
            get::run(&mut host, format, &args.names, &args::commands())
        }
        None if format != Format::Text => get::run(&mut host, format, &["*".to_owned()], &[]),
        None if args.all => table::run(&mut host),
        None => brief::run(&mut host),
    }
}
