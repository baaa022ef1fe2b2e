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

use std::net::TcpListener;
use std::os::unix::net::UnixListener;

use crate::args::{Options, Serve};
use crate::exit::{Failure, Outcome, complain};
use crate::serve::broker::Broker;
use crate::serve::upstream::Upstream;
use crate::system::on_end_by_signal;

/// Serves until it is ended.
///
/// # Errors
/// [`Failure`]: it cannot listen. If only the listener for scrapers fails, and nobody asked for it, others are
/// served.
pub(crate) fn run(options: &Options, serve: &Serve) -> Result<Outcome, Failure> {
    let socket = listen::unix(&serve.socket, serve.mode)?;
    let remove = listen::remover(&serve.socket);
    // Without handlers, a signal leaves the socket behind, and the next broker replaces it.
    let _ = on_end_by_signal(remove.clone());
    let result = scrapers(serve).and_then(|http| {
        announce(&socket, http.as_ref());
        let upstream = Upstream::start(options)?;
        Broker::new(upstream, socket, http).run()
    });
    remove();
    result.map(|()| Outcome::Complete)
}

/// Says where programs and scrapers are served.
fn announce(socket: &UnixListener, http: Option<&TcpListener>) {
    let address = socket.local_addr().ok();
    let place = match address.as_ref().and_then(|address| address.as_pathname()) {
        Some(path) => path.display().to_string(),
        None => "the socket on standard input".to_owned(),
    };
    complain(format_args!("listening at {place}, for this guest's programs"));
    if let Some(address) = http.and_then(|http| http.local_addr().ok()) {
        complain(format_args!("listening at http://{address}/metrics, for Prometheus"));
    }
}

/// The listener for scrapers, if there is to be one.
///
/// # Errors
/// [`Failure::Listen`]: the address that the user named cannot be used.
fn scrapers(serve: &Serve) -> Result<Option<TcpListener>, Failure> {
    let Some((address, is_named)) = serve.scraped() else { return Ok(None) };
    match listen::tcp(address) {
        Err(failure) if !is_named => {
            complain(format_args!("{failure}; the metrics are not served there"));
            Ok(None)
        }
        listener => listener.map(Some),
    }
}
