//! One change to a domain.

use hostinfo_domains::{Act, Form};

/// The forms of a domain in the order in which they are changed. The running one comes first: more can go wrong with it.
/// And if libvirt adds a controller to the configuration, it does not remove that again.
pub(crate) const FORMS: [Form; 2] = [Form::Live, Form::Config];

/// A device to attach to one form of a domain, or to detach from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) form: Form,
    pub(crate) act: Act,
    pub(crate) device: String,
}
