//! `hostinfo`, the guest's tool: asks the host over a serial port and shows what it answers.

mod args;
mod blame;
mod exit;
mod get;
mod host;
mod link;
mod list;
mod others;
mod output;
mod ping;
mod port;
mod prometheus;
mod question;
mod reply;
mod summary;
mod units;

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
    match &args.command {
        Some(Command::Get { names }) => get::run(&mut host, args.options.format(), names),
        Some(Command::List { names }) => list::run(&mut host, args.options.format(), names),
        Some(Command::Ping) => ping::run(&mut host, args.options.format()),
        None if args.options.format() == Format::Text => summary::run(&mut host),
        None => get::run(&mut host, args.options.format(), &["*".to_owned()]),
    }
}
