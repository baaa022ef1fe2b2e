//! hostinfo-open: connects to guests' sockets that hostinfod's own user may not open.

mod args;
mod caller;
mod serve;
mod walk;

use clap::Parser as _;

fn main() -> anyhow::Result<()> {
    serve::serve(rustix::stdio::stdin(), &args::Args::parse())
}
