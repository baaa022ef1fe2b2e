//! What outlives the program of a guest that asks and of its connections: another program goes on with it.
//!
//! What follows from rules, settings and secrets is not part of it. The other program reads those itself.

use std::sync::Arc;

use hostinfo_handover::bytes;
use hostinfo_sample::{Absent, OpenFiles, Roots, Vmm};
use hostinfo_verdict::Watch;
use hostinfo_wire::limits::{LINE_MAX, READ_CHUNK};
use hostinfo_wire::{Framer, Part};
use serde::{Deserialize, Serialize};

use crate::allowance::Allowance;
use crate::conversation::Conversation;
use crate::dialect::{Dialect, Protocol};
use crate::history::History;
use crate::key::GuestIncidents;
use crate::observed::{Observed, Process};
use crate::peer::Peer;
use crate::pending::Pending;
use crate::requester::Requester;
use crate::session::Session;
use crate::standing::Standing;
use crate::vhostmd::Document;

/// What is kept of a [`Requester`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequesterState {
    session: Session,
    standing: Standing,
    peer: Connected,
    document: Option<Box<Document>>,
    allowance: Allowance,
}

/// Whether a guest was ever connected, and to which process.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum Connected {
    Never,
    Unknown,
    To(Peer),
}

impl Requester {
    /// What is kept of it.
    pub fn hand_over(&self) -> RequesterState {
        let peer = match self.peer {
            None => Connected::Never,
            Some(None) => Connected::Unknown,
            Some(Some(peer)) => Connected::To(peer),
        };
        RequesterState {
            session: self.session.clone(),
            standing: self.standing.clone(),
            peer,
            document: self.document.clone(),
            allowance: self.allowance.clone(),
        }
    }

    /// Goes on as the guest that was handed over, whose grant was the one that it has now, or `is_other`: then it
    /// does not get a document that was made for it before.
    pub fn take_over(&mut self, state: RequesterState, is_other: bool) {
        let RequesterState { session, standing, peer, document, allowance } = state;
        self.peer = match peer {
            Connected::Never => None,
            Connected::Unknown => Some(None),
            Connected::To(peer) => Some(Some(peer)),
        };
        self.session = session;
        self.standing = standing;
        self.document = document.filter(|_| !is_other && self.may_ask());
        self.allowance = allowance;
    }
}

/// What is kept of an [`Observed`].
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObservedState {
    process: Result<(Peer, Option<Box<Vmm>>), Box<Absent>>,
    watch: Option<Box<Watch>>,
    incidents: GuestIncidents,
    history: Option<Box<History>>,
}

impl Observed {
    /// What is kept of it.
    pub fn hand_over(&self) -> ObservedState {
        let Self { process, watch, incidents, history } = self.clone();
        ObservedState {
            process: process.map(|Process { peer, vmm, .. }| (peer, vmm)),
            watch,
            incidents,
            history,
        }
    }

    /// What was handed over, of a process that is read below `roots`; its open files are kept among `files`.
    pub fn taken_over(state: ObservedState, roots: &Arc<Roots>, files: &OpenFiles) -> Self {
        let ObservedState { process, watch, incidents, history } = state;
        let process = process.map(|(peer, vmm)| {
            let Peer { pid, start } = peer;
            let vmm = vmm.map(|vmm| {
                Box::new(vmm.of_process(Roots::clone(roots), files.clone(), pid, start))
            });
            Process::new(Arc::clone(roots), files.clone(), peer).with(vmm)
        });
        Self { process, watch, incidents, history }
    }
}

/// What is kept of a [`Conversation`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConversationState {
    dialect: Dialect,
    nonsense: u32,
    #[serde(with = "bytes")]
    part: Vec<u8>,
    first: Option<u8>,
    too_long: bool,
    #[serde(with = "bytes")]
    held: Vec<u8>,
    pending: Option<Box<Pending>>,
}

impl Conversation {
    /// What is kept of it.
    pub fn hand_over(&self) -> ConversationState {
        let Self { protocol, framer, held, pending } = self;
        let Part { line: part, first, too_long } = framer.part();
        ConversationState {
            dialect: protocol.dialect,
            nonsense: protocol.nonsense,
            part,
            first,
            too_long,
            held: held.clone(),
            pending: pending.clone(),
        }
    }

    /// Goes on with what was handed over. `None` if that is more than a connection can hold.
    pub fn taken_over(state: ConversationState) -> Option<Self> {
        let ConversationState { dialect, nonsense, part: line, first, too_long, held, pending } =
            state;
        let framer = Framer::after(Part { line, first, too_long })?;
        let fits = held.len() <= LINE_MAX + 1 + READ_CHUNK;
        fits.then_some(Self { protocol: Protocol { dialect, nonsense }, framer, held, pending })
    }
}
