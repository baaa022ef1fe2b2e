//! hostinfod, by its control socket.

use hostinfo_control::limits::DEADLINE;
use hostinfo_control::{Client, Error};

use crate::args::Options;
use crate::exit::{Failure, complain};

/// Connects.
///
/// # Errors
/// [`Failure::Daemon`].
pub(crate) fn connect(options: &Options) -> Result<Client, Failure> {
    Ok(Client::connect(&options.control, DEADLINE)?)
}

/// Connects, for a command that can do without: then it says so.
pub(crate) fn connect_if_there(options: &Options) -> Option<Client> {
    Client::connect(&options.control, DEADLINE).map_err(without).ok()
}

/// Says that the daemon's part is missing.
pub(crate) fn without(error: Error) {
    complain(format!("note: without what the daemon knows: {error}"));
}
