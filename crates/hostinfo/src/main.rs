//! `hostinfo`, the guest's tool: asks the host and shows the answer.
#![cfg_attr(not(unix), allow(dead_code, reason = "what only the broker and Linux's /proc need"))]

mod args;
mod blame;
mod brief;
mod broken;
mod color;
mod complete;
mod diagnose;
mod exit;
mod exposition;
mod get;
mod host;
mod joined;
mod link;
mod list;
mod listed;
mod nearest;
mod not_yet;
mod others;
mod output;
mod ping;
mod port;
mod progress;
mod question;
mod record;
mod recorder;
mod recording;
mod remedy;
mod reply;
mod report;
mod sampler;
#[cfg(unix)]
mod serve;
mod system;
mod table;
mod top;
mod units;
mod usage;
mod verdict;
mod views;
mod way;
mod wrap;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use args::{Args, Command, Format};
use exit::{Failure, Outcome, complain};
use host::Host;
use output::Shown;

fn main() -> ExitCode {
    // Only for shells: if clap knew it, shells would offer it to people.
    if std::env::args_os().skip(1).eq([complete::OPTION]) {
        let mut args = match args::parse(["hostinfo"], None) {
            Ok(args) => args,
            Err(error) => return usage::refuse(error),
        };
        args.options.timeout = complete::TIMEOUT;
        return exit::code(complete::run(&mut Host::new(&args.options)).write(None));
    }
    match args::parse(std::env::args_os(), output::columns()) {
        Ok(args) => exit::code(run(&args)),
        Err(error) => usage::refuse(error),
    }
}

/// Asks the host and makes of it what one command shows.
type Once<'a> = Box<dyn Fn(&mut Host<'_>) -> Result<Shown, Failure> + 'a>;

fn run(args: &Args) -> Result<Outcome, Failure> {
    let options = &args.options;
    let format = options.format();
    if args.all && args.command.is_some() {
        return Err(Failure::Usage(
            "--all cannot be combined with a command: see hostinfo --help".to_owned(),
        ));
    }
    let once: Once<'_> = match &args.command {
        Some(Command::Serve(serve)) => return system::serve(options, serve),
        Some(Command::Record(record)) => return record::run(options, record),
        Some(Command::Report(report)) => return report::run(options, report),
        Some(Command::Top) => return top::run(options),
        Some(Command::Get { names }) => Box::new(move |host| get::run(host, format, names, &[])),
        Some(Command::List { names }) => Box::new(move |host| list::run(host, format, names)),
        Some(Command::Diagnose(what)) => Box::new(move |host| diagnose::run(host, format, what)),
        Some(Command::Ping) => Box::new(move |host| ping::run(host, format)),
        None => Box::new(|host| without_command(args, host)),
    };
    let mut host = Host::new(options);
    match options.every {
        None => once(&mut host)?.write(options.output.as_deref()),
        Some(every) => again_and_again(args, &once, &mut host, every),
    }
}

/// What is shown of the host where no command was given.
fn without_command(args: &Args, host: &mut Host<'_>) -> Result<Shown, Failure> {
    let format = args.options.format();
    match args.names.first() {
        Some(_) if args.all => Err(Failure::Usage(format!(
            "--all shows everything: leave it out for a part: hostinfo {}",
            args.names.join(" ")
        ))),
        Some(first) => match nearest::misspelt(first, &args::commands()) {
            Some(told) => Err(Failure::Usage(told)),
            None => get::run(host, format, &args.names, &args::commands()),
        },
        None if format != Format::Text => get::run(host, format, &["*".to_owned()], &[]),
        None if args.all => table::run(host),
        None => brief::run(host),
    }
}

/// Whether the result is text for people that does not say itself of when it is.
fn is_page(args: &Args) -> bool {
    args.command.is_none() && args.names.is_empty() && args.options.format() == Format::Text
}

/// Asks repeatedly, and reports when there is no answer. It ends when nobody reads the output any
/// more.
fn again_and_again(
    args: &Args,
    once: &Once<'_>,
    host: &mut Host<'_>,
    every: Duration,
) -> Result<Outcome, Failure> {
    let mut interval = None;
    let mut told = String::new();
    loop {
        let start = Instant::now();
        match once(host) {
            Ok(mut shown) => {
                if is_page(args) {
                    shown.text = format!("{}\n{}", units::at(jiff::Timestamp::now()), shown.text);
                }
                shown.write(args.options.output.as_deref())?;
                told.clear();
            }
            Err(failure @ Failure::Usage(_)) => return Err(failure),
            Err(failure) => {
                if let Some(wait) = failure.too_soon() {
                    host.let_go();
                    std::thread::sleep(wait);
                    continue;
                }
                // What to do about it stands in further lines: once is enough.
                let now = failure.to_string();
                let repeated = now.lines().next().filter(|_| now == told);
                complain(repeated.unwrap_or(&now));
                told = now;
            }
        }
        let longer = host.interval().filter(|interval| *interval > every);
        if longer != interval {
            interval = longer;
            longer.into_iter().for_each(|longer| {
                complain(format_args!("this host answers every {}", units::duration(longer)));
            });
        }
        // Meanwhile others may want to use the port.
        host.let_go();
        std::thread::sleep(every.saturating_sub(start.elapsed()));
    }
}
