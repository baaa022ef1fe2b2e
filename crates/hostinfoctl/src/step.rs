//! One change to a domain.

use hostinfo_domains::{Act, Form};

/// A device to attach to one form of a domain, or to detach from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) form: Form,
    pub(crate) act: Act,
    pub(crate) device: String,
}
