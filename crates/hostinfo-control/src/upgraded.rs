//! An upgrade of the daemon.

use serde::{Deserialize, Serialize};

/// The reply to `Upgrade`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upgraded {
    /// The version that was asked.
    pub before: String,
    /// The version that answers.
    pub version: String,
    /// Number of guests that are connected.
    pub guests: u64,
}
