//! Both views of this guest: what the host says of it, and what its own kernel counts.

pub(crate) mod own;
pub(crate) mod parse;
pub(crate) mod told;
