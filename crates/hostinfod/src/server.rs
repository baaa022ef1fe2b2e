//! Everything that the daemon holds, and who in it can be woken. Each file below gives it one
//! thing to do.

mod arrivals;
mod channels;
mod connecting;
mod control;
mod disks;
mod guests;
mod libvirt;
mod metrics;
mod reload;
mod run;
mod scrape;
mod turns;
mod values;
mod watching;

use crate::args::Args;
use crate::control::Control;
use crate::desk::Desk;
use crate::disks::Disks;
use crate::given::GivenFiles;
use crate::guest::identity::Identity;
use crate::guest::roster::Roster;
use crate::guest::watched::Watched;
use crate::incidents::IncidentFiles;
use crate::logging::Logging;
use crate::reactor::Reactor;
use crate::rules_file::RulesFile;
use crate::scrape::Scrape;
use crate::settings::paths::Paths;
use crate::sockets::directories::Directories;
use crate::system::signals::Signals;

/// Everything that the daemon holds.
pub(crate) struct Server {
    pub(crate) args: Args,
    pub(crate) paths: Paths,
    /// Why what the settings file says now is not in force.
    pub(crate) settings_problem: Option<String>,
    pub(crate) logging: Logging,
    pub(crate) identity: Identity,
    pub(crate) rules: RulesFile,
    pub(crate) directories: Directories,
    pub(crate) roster: Roster,
    /// Guests that are watched for good.
    pub(crate) watched: Watched,
    pub(crate) incidents: IncidentFiles,
    pub(crate) disks: Disks,
    pub(crate) desk: Desk,
    pub(crate) given_files: GivenFiles,
    pub(crate) control: Control,
    pub(crate) scrape: Scrape,
    pub(crate) signals: Signals,
    pub(crate) reactor: Reactor,
}
