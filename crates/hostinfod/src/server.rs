//! All parts of the daemon. Each keeps its own state. The loop passes each event to the part it
//! concerns, with what that needs of other parts, and passes on the results.

mod beginning;
mod reload;
mod run;
mod start;
mod upgrade;

use crate::admin::{Control, Scrape};
use crate::guests::Guests;
use crate::logging::Logging;
use crate::reactor::Reactor;
use crate::settings::file::SettingsFile;
use crate::system::signals::Signals;

pub(crate) use start::start;
use upgrade::Upgrade;

/// All parts of the daemon.
struct Server {
    settings: SettingsFile,
    logging: Logging,
    guests: Guests,
    control: Control,
    scrape: Scrape,
    signals: Signals,
    upgrade: Upgrade,
    reactor: Reactor,
}
