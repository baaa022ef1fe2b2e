//! The administrator's side: the control socket, and the daemon's metrics over HTTP. Each knows alone who is
//! connected to it. What they are asked about, the [`Daemon`], is handed in with each event.

mod control;
mod daemon;
mod listener;
mod scrape;
mod unix_socket;

pub(crate) use control::Control;
pub(crate) use daemon::Daemon;
pub(crate) use scrape::Scrape;
