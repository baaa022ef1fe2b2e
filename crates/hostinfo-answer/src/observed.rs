//! What is observed of a guest from outside.

use std::sync::Arc;

use hostinfo_sample::{Absent, HostWindow, OpenFiles, Roots, Vmm};
use hostinfo_verdict::Watch;

use crate::history::History;
use crate::key::GuestIncidents;
use crate::peer::Peer;

/// hostinfod has not connected to the guest's socket yet, or libvirt still owned that: only when the
/// guest speaks is it certain that its VMM listens there. A metrics disk may be written earlier.
pub const VMM_UNKNOWN: Absent =
    Absent::plain("hostinfod knows this guest's VMM only when the guest has spoken on its port");

/// The process that runs a guest. A [`Vmm`] takes 1.1 KB even before it is asked for anything, so it
/// is created on first use.
#[derive(Clone)]
pub struct Process {
    roots: Arc<Roots>,
    files: OpenFiles,
    pub(crate) peer: Peer,
    pub(crate) vmm: Option<Box<Vmm>>,
}

impl Process {
    /// That process, read below `roots`; its open files are kept among `files`.
    pub fn new(roots: Arc<Roots>, files: OpenFiles, peer: Peer) -> Self {
        Self { roots, files, peer, vmm: None }
    }

    /// The same with what is known of it.
    pub(crate) fn with(self, vmm: Option<Box<Vmm>>) -> Self {
        Self { vmm, ..self }
    }

    pub(crate) fn vmm(&mut self) -> &mut Vmm {
        let Self { roots, files, peer: Peer { pid, start }, vmm } = self;
        vmm.get_or_insert_with(|| {
            Box::new(Vmm::new(Roots::clone(roots), files.clone(), *pid, *start))
        })
    }
}

/// What is observed of a guest from outside, through the one process that runs it.
#[derive(Clone)]
pub struct Observed {
    /// The process that runs it, or why it is unknown.
    pub process: Result<Process, Box<Absent>>,
    /// What the host's ratios in its replies are compared with.
    pub(crate) host_window: HostWindow,
    /// The samples for verdicts, while it is watched.
    pub watch: Option<Box<Watch>>,
    /// Its verdicts over time.
    pub incidents: GuestIncidents,
    /// See [`Observed::history`]; `None` if libvirt has reported nothing.
    pub(crate) history: Option<Box<History>>,
}

impl Observed {
    /// The VMM of the process.
    ///
    /// # Errors
    /// Why the process is unknown.
    pub(crate) fn vmm(&mut self) -> Result<&mut Vmm, &Absent> {
        match &mut self.process {
            Ok(process) => Ok(process.vmm()),
            Err(absent) => Err(absent),
        }
    }

    /// The VMM, if it was asked for anything before.
    pub(crate) fn asked_vmm(&self) -> Option<&Vmm> {
        self.process.as_ref().ok()?.vmm.as_deref()
    }

    /// What libvirt has reported in this session.
    pub(crate) fn history(&mut self) -> &mut History {
        self.history.get_or_insert_default()
    }

    /// Begins another session.
    pub(crate) fn forget_history(&mut self) {
        self.history = None;
    }

    /// Nothing observed yet.
    pub fn new(process: Result<Process, Absent>) -> Self {
        let process = process.map_err(Box::new);
        Self {
            process,
            host_window: HostWindow::default(),
            watch: None,
            incidents: GuestIncidents::default(),
            history: None,
        }
    }
}

impl Default for Observed {
    fn default() -> Self {
        Self::new(Err(VMM_UNKNOWN))
    }
}
