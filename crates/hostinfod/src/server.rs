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

use crate::answer::desk::Desk;
use crate::args::Args;
use crate::control::Control;
use crate::disks::Disks;
use crate::guest::identity::Identity;
use crate::guest::roster::Roster;
use crate::guest::watched::Watched;
use crate::incidents::IncidentFiles;
use crate::logging::Logging;
use crate::rules_file::RulesFile;
use crate::scrape::Scrape;
use crate::settings::at_start::AtStart;
use crate::settings::paths::Paths;
use crate::sockets::directories::Directories;
use crate::system::alarms::Alarms;
use crate::system::poll::Poll;
use crate::system::signals::Signals;

/// Everything that the daemon holds.
pub(crate) struct Server {
    pub(crate) args: Args,
    pub(crate) paths: Paths,
    pub(crate) at_start: AtStart,
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
    pub(crate) control: Control,
    pub(crate) scrape: Scrape,
    pub(crate) signals: Signals,
    pub(crate) poll: Poll,
    pub(crate) alarms: Alarms<Alarm>,
}

/// Who is to be woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Alarm {
    /// The rules file has settled.
    Rules,
    /// The service manager wants a sign of life.
    Watchdog,
    /// A command of the administrator's is past its deadline. Comes before those who wait for it.
    Custom,
    /// A port is to be tried, or its guest may go on, or has not read for too long.
    Port(usize),
    /// A guest that is watched is due for a sample, or to have figures asked for.
    Watch(usize),
    /// A port that was connected to while libvirt had its socket is to be looked at again.
    LookAgain(usize),
    /// Incidents are to be written.
    Incidents,
    /// What was left out of the log about a guest is to be said.
    LeftOut(usize),
    /// A guest's metrics disk is to be written.
    Disk(usize),
    /// libvirt's helper is to be started, or did not answer in time.
    Libvirt,
    /// A client of the control socket may go on, or has not read for too long.
    Client(usize),
    /// People are let in at the control socket again.
    Door,
    /// Whoever was not let in has had the time to read why.
    Refused,
    /// The time of one who reads the metrics over HTTP is over.
    Scraper(usize),
    /// Others who do are let in again.
    Scrape,
}

const STOP: u64 = 0;
const RELOAD: u64 = 1;
const RULES: u64 = 2;
const SOCKETS: u64 = 3;
const VHOSTMD_SOCKETS: u64 = 4;
const LIBVIRT: u64 = 5;
const CUSTOM: u64 = 6;
/// That of the control socket.
const CONTROL: u64 = 7;
/// That of those who read the metrics over HTTP.
const SCRAPE: u64 = 8;
const FIRST_PORT: u64 = 9;
/// Far more than there are descriptors.
const FIRST_CLIENT: u64 = 1 << 32;
const FIRST_SCRAPER: u64 = 2 << 32;

/// The token of a port's connection.
fn token(port: usize) -> u64 {
    FIRST_PORT + port as u64
}

/// The token of a client of the control socket.
fn client_token(client: usize) -> u64 {
    FIRST_CLIENT + client as u64
}

/// The token of one who reads the metrics over HTTP.
fn scraper_token(scraper: usize) -> u64 {
    FIRST_SCRAPER + scraper as u64
}
