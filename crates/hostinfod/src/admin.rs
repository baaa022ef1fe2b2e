//! The administrator's side: the control socket, and the daemon's metrics over HTTP. Each of the
//! two keeps its own connections. What they report on, the [`Daemon`], is an argument of each
//! event.

mod control;
mod daemon;
mod listener;
mod scrape;
mod unix_socket;

pub(crate) use control::{Before, Control};
pub(crate) use daemon::Daemon;
pub(crate) use scrape::Scrape;
pub(crate) use unix_socket::Inherited;
