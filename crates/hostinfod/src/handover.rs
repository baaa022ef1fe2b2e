//! What a daemon that is replaced by another program hands over: a versioned document, and descriptors.
//!
//! These are plain types. Each part of the daemon fills in its own and goes on with its own; what starts, checks and
//! executes the other program is in `server/upgrade`.

mod guests;
mod ports;

use std::time::{Instant, SystemTime};

use hostinfo_custom::CustomState;
use hostinfo_domains::Known;
use hostinfo_handover::{Document, Error, instant};
use hostinfo_sample::Host;
use serde::{Deserialize, Serialize};

use crate::metrics::tally::Tally;
use crate::system::descriptors::Number;

pub(crate) use guests::{GuestState, GuestsState, UnidentifiedState};
pub(crate) use ports::{ConnectionState, EndpointState, PhaseState, PortState};

/// The document's version. A program reads its own and no other, so this changes with everything that is written:
/// with a type of this module, and with each type that is part of one.
pub(crate) const VERSION: u32 = 7;

/// All that is handed over. `H` is the [`Host`], or a reference to it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Handover<H> {
    /// [`VERSION`].
    pub(crate) version: u32,
    /// The release of the daemon that hands over.
    pub(crate) release: String,
    /// The administrator's files, as this daemon goes by them: they may have changed by the time that the other program
    /// begins.
    pub(crate) files: FilesState,
    /// When the samples' grid began.
    #[serde(with = "instant")]
    pub(crate) start: Instant,
    /// When the daemon started, for administrators.
    pub(crate) since: SystemTime,
    /// The host's counters, and the samples of its ratios.
    pub(crate) host: H,
    /// The locked socket directories, in the order of their dialects.
    pub(crate) locks: [Option<Number>; 2],
    pub(crate) control: Option<ListenerState>,
    pub(crate) scrape: Option<ListenerState>,
    pub(crate) guests: GuestsState,
    pub(crate) libvirt: LibvirtState,
    pub(crate) tally: Tally,
    /// The administrator's own statistics.
    pub(crate) customs: CustomState,
    /// Events that watching clients were not sent.
    pub(crate) events_left_out: u64,
    /// Lines of the log that were left out.
    pub(crate) log_left_out: u64,
    /// Clients of the control socket that asked for this.
    pub(crate) askers: Vec<Number>,
}

/// The texts of the administrator's files.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FilesState {
    pub(crate) settings: String,
    /// `None` for the built-in rules.
    pub(crate) rules: Option<String>,
}

/// A socket at which administrators or scrapers connect.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListenerState {
    pub(crate) fd: Number,
    /// Device and inode of its file; `None` for a TCP socket.
    pub(crate) file: Option<(u64, u64)>,
}

/// What libvirt has said, and how it answered.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LibvirtState {
    pub(crate) known: Option<Known>,
    pub(crate) answers: Option<bool>,
    pub(crate) outages: u64,
    /// Processes that are the daemon's children still: to be ended and waited for.
    pub(crate) processes: Vec<u32>,
}

/// The beginning of a document of any version.
#[derive(Deserialize)]
struct Head {
    version: u32,
    release: String,
}

/// Why a document is of no use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    /// It cannot be read.
    #[error("the handover cannot be read: {0}")]
    Unreadable(#[from] Error),
    /// It is from a release that writes it in another way.
    #[error(
        "hostinfod {release} hands over in version {version} of the format, and this is hostinfod {own}, which reads \
         version {VERSION}",
        own = env!("CARGO_PKG_VERSION")
    )]
    Version {
        /// The other release.
        release: String,
        /// Its version.
        version: u32,
    },
    /// It is not what its version says.
    #[error("the handover is damaged: {0}")]
    Malformed(#[from] serde_json::Error),
    /// It says something that cannot be.
    #[error("the handover is damaged: {0}")]
    Invalid(&'static str),
}

impl Handover<Host> {
    /// What a document says.
    ///
    /// # Errors
    /// [`Refused`].
    pub(crate) fn read(document: &Document) -> Result<Self, Refused> {
        Self::parse(&document.bytes()?)
    }

    /// The same of its text.
    ///
    /// # Errors
    /// [`Refused`], but for [`Refused::Unreadable`].
    pub(crate) fn parse(text: &[u8]) -> Result<Self, Refused> {
        let handover = match serde_json::from_slice(text) {
            Ok(Self { version, release, .. }) if version != VERSION => {
                return Err(Refused::Version { release, version });
            }
            Ok(handover) => handover,
            // Read a second time only to say whose it is: with 10,000 guests it has 9 MB.
            Err(error) => match serde_json::from_slice(text)? {
                Head { version: VERSION, .. } => return Err(error.into()),
                Head { version, release } => return Err(Refused::Version { release, version }),
            },
        };
        handover.guests.check().map_err(Refused::Invalid)?;
        Ok(handover)
    }
}

#[cfg(test)]
mod tests;
