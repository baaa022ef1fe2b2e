//! The time in which a guest is the same one to itself.

use std::io;
use std::time::SystemTime;

use super::random::{hex, random};

/// The time in which a guest's counters do not fall.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    /// Random, so that it tells nothing.
    pub(crate) id: String,
    /// When it began.
    pub(crate) start: SystemTime,
}

impl Session {
    /// A session that begins now.
    ///
    /// # Errors
    /// Where the system gives no random bytes.
    pub(crate) fn begin() -> io::Result<Self> {
        let id: [u8; 8] = random()?;
        Ok(Self { id: hex(&id), start: SystemTime::now() })
    }
}
