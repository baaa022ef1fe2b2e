//! `serve`: the broker. It holds the port, so that every program in the guest gets an answer,
//! and none gets 429 because another one has just asked.

mod answer;
mod broker;
mod bucket;
mod client;
mod clock;
mod connection;
mod limits;
mod listen;
mod schedule;
mod scraper;
mod snapshot;
mod upstream;

use crate::args::{Options, Serve};
use crate::exit::{Failure, Outcome, complain};
use crate::serve::broker::Broker;
use crate::serve::upstream::Upstream;

/// Serves until it is ended.
///
/// # Errors
/// [`Failure`]: it cannot listen. If only the listener for scrapers fails, others are served.
pub(crate) fn run(options: &Options, serve: &Serve) -> Result<Outcome, Failure> {
    let socket = listen::unix(&serve.socket, serve.mode)?;
    let http = serve.listen.address().and_then(|address| {
        listen::tcp(address)
            .inspect_err(|failure| {
                complain(format_args!("{failure}; the metrics are not served there"));
            })
            .ok()
    });
    let upstream = Upstream::start(options)?;
    Broker::new(upstream, socket, http).run()?;
    Ok(Outcome::Complete)
}
