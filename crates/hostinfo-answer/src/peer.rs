//! The process at the other end of a guest's connection.

/// A process: its number alone may be used again, so its start goes with it.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    /// As the kernel of the daemon's PID namespace numbers it.
    pub pid: i32,
    /// Field 22 of `/proc/PID/stat`, in clock ticks since boot; `None` where `/proc` does not tell.
    pub start: Option<u64>,
}

impl Peer {
    /// Whether it is known to be the same process. One whose start is not known never is.
    pub fn is(self, other: Self) -> bool {
        self.pid == other.pid && self.start.is_some() && self.start == other.start
    }
}
