//! Which protocol a port speaks.

/// What is spoken over a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Dialect {
    /// `docs/protocol.md`.
    Hostinfo,
    /// vhostmd's: one request, and its document.
    Vhostmd,
}

impl Dialect {
    /// Every one.
    pub(crate) const ALL: [Self; 2] = [Self::Hostinfo, Self::Vhostmd];
}
