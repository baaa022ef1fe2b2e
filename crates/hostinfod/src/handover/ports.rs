//! Guests' connections in a handover. A port that is not connected is found again as at the daemon's start.

use std::path::PathBuf;
use std::time::Instant;

use hostinfo_answer::{ConversationState, Dialect};
use hostinfo_handover::instant;
use hostinfo_wire::limits::REPLY_MAX;
use serde::{Deserialize, Serialize};

use crate::port::vsock_domain::VsockDomain;
use crate::settings::hybrid::VmmUser;
use crate::stream::Unsent;
use crate::system::descriptors::Number;
use crate::system::file_id::FileId;

/// A port that is connected.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PortState {
    pub(crate) endpoint: EndpointState,
    pub(crate) dialect: Dialect,
    #[serde(with = "instant")]
    pub(crate) since: Instant,
    pub(crate) connection: ConnectionState,
}

/// What a port is connected to.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum EndpointState {
    /// The socket with the guest's name.
    Socket,
    /// libvirt's own channel at that path.
    Channel(PathBuf),
    /// The socket with the guest's name in the place of that `[[sockets]]`.
    Pattern(String),
    /// The pseudo-terminal at that path, and the end of it that is held open.
    Pty(String, Number),
    /// The VMM that connected where the daemon listens for it: the path of the `[[listen]]`, and its user.
    Accepted(String, VmmUser),
    /// The guest itself, by AF_VSOCK.
    Vsock(Option<VsockDomain>),
}

/// A connection.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConnectionState {
    pub(crate) fd: Number,
    pub(crate) unsent: Option<Unsent>,
    pub(crate) conversation: ConversationState,
    pub(crate) phase: PhaseState,
    pub(crate) file: Option<FileId>,
    pub(crate) is_early: bool,
    #[serde(with = "instant")]
    pub(crate) since: Instant,
    #[serde(with = "instant")]
    pub(crate) heard: Instant,
}

/// What a connection is doing.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) enum PhaseState {
    /// It waits for input.
    Reading,
    /// Nothing is read or answered until then.
    Throttled(#[serde(with = "instant")] Instant),
    /// Its first line waits for values: what was asked for them has ended with the program that asked.
    WaitingForValue,
    /// It has not read all of a reply. Then it is closed.
    Writing(#[serde(with = "instant")] Instant),
}

impl PortState {
    /// Whether it says what can be.
    ///
    /// # Errors
    /// What cannot.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        match &self.connection.unsent {
            Some(unsent) if unsent.length() > REPLY_MAX => Err("a reply is longer than any can be"),
            _ => Ok(()),
        }
    }
}
