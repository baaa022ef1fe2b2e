//! What is observed of a guest from outside.

use hostinfo_sample::{Absent, Vmm};
use hostinfo_verdict::Watch;

use crate::history::History;
use crate::key::Held;

/// A guest that nobody has connected to, or whose socket was libvirt's still: only when it speaks
/// does its VMM surely listen. A metrics disk may be written before that.
pub const NOT_MET: Absent =
    Absent::plain("hostinfod knows this guest's VMM only when the guest has spoken on its port");

/// What is observed of a guest from outside, by one process that runs it.
#[derive(Clone)]
pub struct Observed {
    /// The process that runs it, or why it is not known.
    pub vmm: Result<Box<Vmm>, Absent>,
    /// The samples that verdicts are made of, while it is watched.
    pub watch: Option<Watch>,
    /// What its verdicts were over time.
    pub held: Held,
    /// What libvirt told of it so far in its session.
    pub(crate) history: History,
}

impl Observed {
    /// Nothing yet, of that process.
    pub fn new(vmm: Result<Box<Vmm>, Absent>) -> Self {
        Self { vmm, watch: None, held: Held::default(), history: History::default() }
    }
}

impl Default for Observed {
    fn default() -> Self {
        Self::new(Err(NOT_MET))
    }
}
