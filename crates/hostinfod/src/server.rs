//! Everything that the daemon holds, and who in it can be woken. Each file below gives it one
//! thing to do.

mod control;
mod metrics;
mod reload;
mod run;
mod scrape;

use crate::args::Args;
use crate::control::Control;
use crate::given::GivenFiles;
use crate::guests::Guests;
use crate::logging::Logging;
use crate::reactor::Reactor;
use crate::scrape::Scrape;
use crate::settings::at_start::AtStart;
use crate::settings::paths::Paths;
use crate::system::signals::Signals;

/// Everything that the daemon holds.
pub(crate) struct Server {
    pub(crate) args: Args,
    pub(crate) paths: Paths,
    pub(crate) at_start: AtStart,
    /// Why what the settings file says now is not in force.
    pub(crate) settings_problem: Option<String>,
    pub(crate) logging: Logging,
    pub(crate) guests: Guests,
    pub(crate) given_files: GivenFiles,
    pub(crate) control: Control,
    pub(crate) scrape: Scrape,
    pub(crate) signals: Signals,
    pub(crate) reactor: Reactor,
}
