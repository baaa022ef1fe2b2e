//! Everything that the daemon holds. Each part keeps its state to itself: the loop gives each event to the one
//! that it concerns, with what that one needs of others, and hands on what it has for them.

mod reload;
mod run;
mod start;

use crate::admin::{Control, Scrape};
use crate::guests::Guests;
use crate::logging::Logging;
use crate::reactor::Reactor;
use crate::settings::file::SettingsFile;
use crate::system::signals::Signals;

pub(crate) use start::start;

/// Everything that the daemon holds.
struct Server {
    settings: SettingsFile,
    logging: Logging,
    guests: Guests,
    control: Control,
    scrape: Scrape,
    signals: Signals,
    reactor: Reactor,
}
