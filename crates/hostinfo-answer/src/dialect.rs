//! The protocol that is spoken over a port.

use serde::{Deserialize, Serialize};

/// A protocol that is spoken over a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Dialect {
    /// `docs/protocol.md`.
    Hostinfo,
    /// vhostmd's protocol: one request, and its document.
    Vhostmd,
}

impl Dialect {
    /// All dialects.
    pub const ALL: [Self; 2] = [Self::Hostinfo, Self::Vhostmd];
}

/// The dialect of one connection, and how much nonsense came over it.
#[derive(Debug, Clone)]
pub(crate) struct Protocol {
    pub(crate) dialect: Dialect,
    /// Nonsense lines in a row that were answered.
    pub(crate) nonsense: u32,
}

impl Protocol {
    /// A new connection.
    pub(crate) fn new(dialect: Dialect) -> Self {
        Self { dialect, nonsense: 0 }
    }
}
