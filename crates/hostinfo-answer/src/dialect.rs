//! Which protocol a port speaks.

/// What is spoken over a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dialect {
    /// `docs/protocol.md`.
    Hostinfo,
    /// vhostmd's: one request, and its document.
    Vhostmd,
}

impl Dialect {
    /// Every one.
    pub const ALL: [Self; 2] = [Self::Hostinfo, Self::Vhostmd];
}

/// What is spoken over one connection, and how well.
#[derive(Debug, Clone)]
pub(crate) struct Protocol {
    pub(crate) dialect: Dialect,
    /// Lines of nonsense in a row that were answered.
    pub(crate) nonsense: u32,
}

impl Protocol {
    /// Nothing was said yet.
    pub(crate) fn new(dialect: Dialect) -> Self {
        Self { dialect, nonsense: 0 }
    }
}
