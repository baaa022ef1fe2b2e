//! What is kept of a guest that asks, and of its connections, when another program takes this one's place.
//!
//! What follows from rules, settings and secrets is not part of it.

use std::sync::Arc;

use hostinfo_handover::bytes;
use hostinfo_sample::{Absent, HostWindow, OpenFiles, Roots, Vmm};
use hostinfo_verdict::Watch;
use hostinfo_wire::limits::{LINE_MAX, READ_CHUNK};
use hostinfo_wire::{Framer, PartialLine};
use serde::{Deserialize, Serialize};

use crate::allowance::Allowance;
use crate::conversation::{Conversation, Held};
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

    /// Goes on as the guest that was handed over. Its grant must be the one it had then.
    pub fn take_over(&mut self, state: RequesterState) {
        let RequesterState { session, standing, peer, document, allowance } = state;
        self.peer = match peer {
            Connected::Never => None,
            Connected::Unknown => Some(None),
            Connected::To(peer) => Some(Some(peer)),
        };
        self.session = session;
        self.standing = standing;
        self.document = document.filter(|_| self.may_ask());
        self.allowance = allowance;
    }
}

/// What is kept of an [`Observed`].
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObservedState {
    process: Result<(Peer, Option<Box<Vmm>>), Box<Absent>>,
    host_window: HostWindow,
    watch: Option<Box<Watch>>,
    incidents: GuestIncidents,
    history: Option<Box<History>>,
}

impl Observed {
    /// What is kept of it.
    pub fn hand_over(&self) -> ObservedState {
        let Self { process, host_window, watch, incidents, history } = self.clone();
        ObservedState {
            process: process.map(|Process { peer, vmm, .. }| (peer, vmm)),
            host_window,
            watch,
            incidents,
            history,
        }
    }

    /// What was handed over, of a process that is read below `roots`; its open files are kept among `files`.
    pub fn taken_over(state: ObservedState, roots: &Arc<Roots>, files: &OpenFiles) -> Self {
        let ObservedState { process, host_window, watch, incidents, history } = state;
        let process = process.map(|(peer, vmm)| {
            let Peer { pid, start } = peer;
            let vmm = vmm.map(|vmm| {
                Box::new(vmm.of_process(Roots::clone(roots), files.clone(), pid, start))
            });
            Process::new(Arc::clone(roots), files.clone(), peer).with(vmm)
        });
        Self { process, host_window, watch, incidents, history }
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
    pending: Option<Pending>,
}

impl Conversation {
    /// What is kept of it.
    pub fn hand_over(&self) -> ConversationState {
        let Self { protocol, framer, held } = self;
        let PartialLine { line: part, first, too_long } = framer.part();
        ConversationState {
            dialect: protocol.dialect,
            nonsense: protocol.nonsense,
            part,
            first,
            too_long,
            held: held.as_ref().map(|held| held.bytes.clone()).unwrap_or_default(),
            pending: self.pending().cloned(),
        }
    }

    /// Goes on with what was handed over. `None` if that is more than a connection can hold.
    pub fn taken_over(state: ConversationState) -> Option<Self> {
        let ConversationState { dialect, nonsense, part: line, first, too_long, held, pending } =
            state;
        let framer = Framer::after(PartialLine { line, first, too_long })?;
        let fits = held.len() <= LINE_MAX + 1 + READ_CHUNK;
        let held = Held::new(held, pending);
        fits.then_some(Self { protocol: Protocol { dialect, nonsense }, framer, held })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    use hostinfo_wire::Frame;
    use serde::de::DeserializeOwned;

    fn through_json<T: Serialize + DeserializeOwned>(state: &T) -> T {
        serde_json::from_slice(&serde_json::to_vec(state).unwrap()).unwrap()
    }

    #[test]
    fn half_a_line_and_a_line_that_waits_go_on_where_they_were() {
        let mut before = Conversation::new(Dialect::Hostinfo);
        assert_eq!(before.framer.next(&mut b" ping ha".as_slice()), None);
        before.protocol.nonsense = 3;
        let now = Instant::now();
        let (asked, until) = (now, now + Duration::from_secs(30));
        let pending = Pending { asked, until, on: "x".to_owned() };
        before.held = Held::new(b"custom.x\nping\n".to_vec(), Some(pending));
        let mut after = Conversation::taken_over(through_json(&before.hand_over())).unwrap();
        let held = |one: &Conversation| one.held.as_ref().map(|held| held.bytes.clone());
        assert_eq!((after.protocol.nonsense, held(&after)), (3, held(&before)));
        let pending = after.pending().unwrap();
        assert_eq!((pending.asked, pending.until, &*pending.on), (asked, until, "x"));
        let rest = &mut b"lf\n".as_slice();
        assert_eq!(after.framer.next(rest), Some(Frame::Line(b" ping half")));
        // A line that was answered is not part of the next one.
        let mut after = Conversation::taken_over(through_json(&after.hand_over())).unwrap();
        assert_eq!(after.framer.next(&mut b"ping\n".as_slice()), Some(Frame::Line(b"ping")));
    }

    #[test]
    fn a_line_that_is_too_long_is_so_after_the_handover() {
        let mut before = Conversation::new(Dialect::Hostinfo);
        assert_eq!(before.framer.next(&mut [b'x'; LINE_MAX + 1].as_slice()), None);
        let mut after = Conversation::taken_over(through_json(&before.hand_over())).unwrap();
        assert_eq!(after.framer.next(&mut b"y\n".as_slice()), Some(Frame::TooLong));
    }

    #[test]
    fn more_than_a_connection_can_hold_is_no_conversation() {
        let state = || Conversation::new(Dialect::Hostinfo).hand_over();
        let held = vec![b'x'; LINE_MAX + READ_CHUNK + 2];
        assert!(Conversation::taken_over(ConversationState { held, ..state() }).is_none());
        let part = vec![b'x'; LINE_MAX + 1];
        assert!(Conversation::taken_over(ConversationState { part, ..state() }).is_none());
        let part = b"x".to_vec();
        assert!(
            Conversation::taken_over(ConversationState { part, too_long: true, ..state() })
                .is_none()
        );
    }
}
