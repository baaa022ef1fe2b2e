//! What is known about all domains at one time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use uuid::Uuid;

use crate::conflict::Conflict;
use crate::domain::{Domain, Figures, State};
use crate::marks::Marks;
use crate::message::Hypervisor;
use crate::pauses::Pauses;
use crate::whose::{Claim, Whose};

/// Everything libvirt had reported up to its last complete answer. While libvirt cannot be reached,
/// only [`Self::whose`] is left of it.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    pub(crate) outage: Option<Arc<str>>,
    pub(crate) hypervisor: Option<Hypervisor>,
    pub(crate) guests: BTreeMap<Uuid, Arc<Guest>>,
    pub(crate) whose: Arc<Whose>,
}

/// One domain.
#[derive(Debug, Clone)]
pub struct Guest {
    /// The domain itself.
    pub domain: Domain,
    /// Its figures, and when they were reported; only from its current run.
    pub figures: Option<(Figures, Instant)>,
    pub(crate) pauses: Pauses,
    /// How often it went back to a snapshot since it was started.
    pub(crate) reverts: u32,
}

/// A stretch of a domain's life without a jump: it ends when the domain is started or restored
/// again, and when it goes back to a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// See [`Domain::id`].
    pub id: Option<u32>,
    /// How often it was seen to go back to a snapshot without being restarted.
    pub reverts: u32,
}

impl Guest {
    /// Which stretch of its life this is.
    pub fn run(&self) -> Run {
        Run { id: self.domain.id, reverts: self.reverts }
    }

    /// How long it was paused since its start, as far as the daemon saw it.
    pub fn paused(&self, now: Instant) -> Duration {
        self.pauses.total(now)
    }
}

impl Snapshot {
    /// Nothing is known, for this reason, except which domain each socket belonged to.
    pub(crate) fn down(why: &str, whose: Arc<Whose>) -> Self {
        Self { outage: Some(why.into()), whose, ..Self::default() }
    }

    /// Why nothing is known; `None` if libvirt answers.
    pub fn outage(&self) -> Option<&str> {
        self.outage.as_deref()
    }

    /// The hypervisor that runs the guests, once libvirt has reported it.
    pub fn hypervisor(&self) -> Option<&Hypervisor> {
        self.hypervisor.as_ref()
    }

    /// A domain.
    pub fn guest(&self, uuid: Uuid) -> Option<&Arc<Guest>> {
        self.guests.get(&uuid)
    }

    /// Every domain, live or only defined.
    pub fn guests(&self) -> impl Iterator<Item = &Arc<Guest>> {
        self.guests.values()
    }

    /// Which domain each socket belongs to. While libvirt cannot be reached: which one it belonged to
    /// in its last complete answer.
    pub fn whose(&self) -> &Whose {
        &self.whose
    }

    /// What is wrong where a process with these marks listens at that socket, if the XML is right.
    pub fn conflict(&self, socket: &str, marks: &Marks) -> Option<Conflict> {
        marks.conflict(socket, self.whose.of(socket), self)
    }

    /// The same where the guest of that socket is taken for the domain `uuid`, which does not name the socket.
    pub fn conflict_of(&self, uuid: Uuid, socket: &str, marks: &Marks) -> Option<Conflict> {
        marks.conflict(socket, Claim::Named(uuid), self)
    }

    /// Whether a process with these marks is, at a socket that has the name of a live domain, not certainly that domain's. While
    /// libvirt cannot be reached, a domain counts that was live in its last complete answer.
    pub fn is_in_doubt(&self, socket: &str, marks: Option<&Marks>) -> bool {
        match self.whose.of(socket) {
            Claim::Named(uuid) | Claim::Portless(uuid) => {
                marks.and_then(Marks::run).and_then(|run| self.whose.run(run)) != Some(uuid)
            }
            Claim::Refused(_) | Claim::Unnamed => false,
        }
    }

    /// How many domains are running; paused ones are not counted.
    pub fn running(&self) -> u64 {
        self.runners().fold(0, |count, _| count + 1)
    }

    /// The online vCPUs of the running domains.
    pub fn vcpus(&self) -> u64 {
        self.runners().fold(0, |sum, guest| sum.saturating_add(guest.domain.vcpus))
    }

    fn runners(&self) -> impl Iterator<Item = &Arc<Guest>> {
        self.guests().filter(|guest| guest.domain.state == State::Running)
    }
}
