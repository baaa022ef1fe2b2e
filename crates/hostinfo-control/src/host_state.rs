//! The host state, which the administrator sets.

use hostinfo_notices::HostState;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The reply to `HostStateGet` and `HostStateSet`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostStateReply {
    /// What guests read as `host.state`.
    pub state: HostState,
    /// The reason, shown only to administrators.
    pub text: Option<String>,
    /// When it was set. `None`: it was never set, so it is normal.
    pub since: Option<Timestamp>,
}
