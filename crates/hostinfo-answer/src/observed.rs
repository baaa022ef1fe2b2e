//! What is observed of a guest from outside.

use std::sync::Arc;

use hostinfo_sample::{Absent, OpenFiles, Roots, Vmm};
use hostinfo_verdict::Watch;

use crate::history::History;
use crate::key::Held;
use crate::peer::Peer;

/// A guest that nobody has connected to, or whose socket was libvirt's still: only when it speaks
/// does its VMM surely listen. A metrics disk may be written before that.
pub const NOT_MET: Absent =
    Absent::plain("hostinfod knows this guest's VMM only when the guest has spoken on its port");

/// The process that runs a guest. A [`Vmm`] takes 3 KB before anything was asked of it, so there is none
/// until something is.
#[derive(Clone)]
pub struct Process {
    roots: Arc<Roots>,
    files: OpenFiles,
    peer: Peer,
    vmm: Option<Box<Vmm>>,
}

impl Process {
    /// That process, seen at `roots`; its files stay open among `files`.
    pub fn new(roots: Arc<Roots>, files: OpenFiles, peer: Peer) -> Self {
        Self { roots, files, peer, vmm: None }
    }

    /// As a VMM.
    pub(crate) fn vmm(&mut self) -> &mut Vmm {
        let Self { roots, files, peer: Peer { pid, start }, vmm } = self;
        vmm.get_or_insert_with(|| {
            Box::new(Vmm::new(Roots::clone(roots), files.clone(), *pid, *start))
        })
    }
}

/// What is observed of a guest from outside, by one process that runs it.
#[derive(Clone)]
pub struct Observed {
    /// The process that runs it, or why it is not known.
    pub process: Result<Process, Box<Absent>>,
    /// The samples that verdicts are made of, while it is watched.
    pub watch: Option<Box<Watch>>,
    /// What its verdicts were over time.
    pub held: Held,
    /// See [`Observed::history`]; nothing where it told nothing.
    history: Option<Box<History>>,
}

impl Observed {
    /// The process as a VMM.
    ///
    /// # Errors
    /// Why it is not known.
    pub(crate) fn vmm(&mut self) -> Result<&mut Vmm, &Absent> {
        match &mut self.process {
            Ok(process) => Ok(process.vmm()),
            Err(absent) => Err(absent),
        }
    }

    /// The same where anything was asked of it.
    pub(crate) fn asked_vmm(&self) -> Option<&Vmm> {
        self.process.as_ref().ok()?.vmm.as_deref()
    }

    /// What libvirt told of it so far in its session.
    pub(crate) fn history(&mut self) -> &mut History {
        self.history.get_or_insert_default()
    }

    /// Another session begins.
    pub(crate) fn forget_history(&mut self) {
        self.history = None;
    }

    /// Nothing yet, of that process.
    pub fn new(process: Result<Process, Absent>) -> Self {
        let process = process.map_err(Box::new);
        Self { process, watch: None, held: Held::default(), history: None }
    }
}

impl Default for Observed {
    fn default() -> Self {
        Self::new(Err(NOT_MET))
    }
}
