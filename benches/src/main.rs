//! The price of hostinfod: a thousand guests ask it, and then a bare echo server beside it.
//!
//! What a machine does in a microsecond says little on another, so round trips and most rates of
//! answers are compared with those of an echo server that does nothing but read a line and write a
//! constant answer of the same length. Both are asked by the same guests, by turns, in the same
//! run, and the round with the median ratio is quoted. Where there is no echo to compare with, such
//! as for CPU times, targets are those of one machine: `docs/benchmarks.md`. The output is a
//! Markdown table; the exit status is 1 where a target is missed.

mod confinement;
mod crowd;
mod echo;
mod everything;
mod flood;
mod guests;
mod instructions;
mod kernel;
mod large_host;
mod lines;
mod machine;
mod many_vcpus;
mod measure;
mod neighbours;
mod plan;
mod process;
mod report;
mod server;
mod vhostmd;
mod vmms;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Parser, Subcommand};

use plan::Part;

/// Measures hostinfod beside a bare echo server.
#[derive(Parser)]
#[command(name = "hostinfo-bench")]
struct Args {
    /// The daemon's program [default: hostinfod beside this one]
    #[arg(long, value_name = "PATH")]
    daemon: Option<PathBuf>,
    /// How many guests there are
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u16).range(1..))]
    guests: u16,
    /// How often each measurement is made
    #[arg(long, value_name = "N", default_value_t = 71, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// How long one measurement takes, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 100)]
    time: u64,
    /// How long the idle guests are watched, in seconds
    #[arg(long, value_name = "S", default_value_t = 10)]
    idle: u64,
    /// How many guests there are where there are many
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u16).range(1..))]
    crowd: u16,
    /// Measures one part [default: those that have targets]
    #[arg(long, value_name = "PART")]
    only: Option<Part>,
    /// Measures what a guest learns of others' queries from how soon it is answered instead
    #[arg(long, conflicts_with = "only")]
    neighbours: bool,
    #[command(subcommand)]
    role: Option<Role>,
}

#[derive(Subcommand)]
enum Role {
    /// Is the echo server: connects to a socket, once for each guest
    #[command(hide = true)]
    Echo {
        /// The socket
        socket: PathBuf,
        /// How many guests there are
        count: u16,
        /// What every line is answered with
        answer: String,
    },
    /// Is a VMM for the socket that is its standard input
    #[command(hide = true)]
    Vmm(vmms::Threads),
}

fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    machine::raise_open_files()?;
    match args.role {
        None => {}
        Some(Role::Echo { socket, count, answer }) => {
            echo::run(&socket, count, answer.as_bytes())?;
            return Ok(ExitCode::SUCCESS);
        }
        Some(Role::Vmm(threads)) => {
            vmms::run(threads)?;
            return Ok(ExitCode::SUCCESS);
        }
    }
    let daemon = match args.daemon {
        Some(path) => path,
        None => std::env::current_exe()?.with_file_name("hostinfod"),
    };
    println!("{}\n", machine::describe());
    let plan = plan::Plan {
        daemon: daemon.canonicalize().with_context(|| daemon.display().to_string())?,
        guests: args.guests,
        rounds: args.rounds,
        time: Duration::from_millis(args.time),
        idle: Duration::from_secs(args.idle),
        crowd: args.crowd,
    };
    let rows =
        if args.neighbours { neighbours::run(&plan)? } else { measure::run(&plan, args.only)? };
    print!("{}", report::markdown(&rows));
    Ok(if rows.iter().all(report::Row::is_good) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
