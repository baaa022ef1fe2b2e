//! What the administrator says of the host.

use hostinfo_notices::HostState;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The reply to `HostStateGet` and `HostStateSet`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostStateSaid {
    /// What guests read as `host.state`.
    pub state: HostState,
    /// Why, for administrators alone.
    pub text: Option<String>,
    /// Since when. `None`: nobody has said anything, so it is normal.
    pub since: Option<Timestamp>,
}
