//! Both views of this guest: the host's, and what the guest's own kernel counts.

pub(crate) mod dated;
pub(crate) mod hosts;
pub(crate) mod own;
pub(crate) mod parse;
pub(crate) mod reply;
pub(crate) mod roots;
