//! One change to a domain.

use hostinfo_domains::{Act, Form};

/// A device that is put into one form of a domain, or taken out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) form: Form,
    pub(crate) act: Act,
    pub(crate) device: String,
}
