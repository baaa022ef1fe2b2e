//! From what a guest has sent to its reply.

pub(crate) mod desk;
pub(crate) mod engine;
mod gather;
mod list;
pub(crate) mod seen;
mod select;
pub(crate) mod sources;
pub(crate) mod vhostmd;
