//! The process at the other end of a guest's connection.

use serde::{Deserialize, Serialize};

/// A process. A process ID can be reused, so the start of the process goes with it.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Peer {
    /// Process ID in the daemon's PID namespace.
    pub pid: i32,
    /// Field 22 of `/proc/PID/stat`, in clock ticks since boot; `None` if `/proc` does not show it.
    pub start: Option<u64>,
}

impl Peer {
    /// Whether both are certainly the same process. Never true if a start is unknown.
    pub fn is(self, other: Self) -> bool {
        self.pid == other.pid && self.start.is_some() && self.start == other.start
    }
}
