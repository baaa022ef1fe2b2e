//! The guest that asks: whose socket it is, what its rule grants, and how it has used that.

mod refusal;

use std::sync::Arc;
use std::time::{Duration, Instant};

use hostinfo_rules::{Decision, Grant, Origin};

use crate::allowance::{Allowance, Cost};
use crate::host_id::HostId;
use crate::key::{GuestIncidents, GuestKey};
use crate::name::Name;
use crate::observed::Observed;
use crate::peer::Peer;
use crate::pending::When;
use crate::session::Session;
use crate::standing::Standing;
use crate::vhostmd::Document;

/// A guest that asks, over all its connections.
#[derive(Debug)]
pub struct Requester {
    pub(crate) name: Name,
    pub(crate) grant: Arc<Grant>,
    /// The rule that applies or does not, depending on tags that cannot be read. Its grant is closed
    /// until they can.
    undecided: Option<Box<Origin>>,
    pub(crate) host_id: HostId,
    pub(crate) time_shift: Duration,
    pub(crate) session: Session,
    pub(crate) standing: Standing,
    /// The process at the other end. `None` before the first connection; `Some(None)` if it is
    /// unknown.
    pub(crate) peer: Option<Option<Peer>>,
    /// The last document of vhostmd's client, which it gets again if it asks too soon: it does not
    /// know 429.
    pub(crate) document: Option<Box<Document>>,
    era: u32,
    /// How it has used its interval.
    pub(crate) allowance: Allowance,
    /// Whether it is only a name that an administrator asks about.
    pub(crate) is_absent: bool,
}

/// How a [`Requester`] changed with another [`Standing`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The standing is the one it had.
    Same,
    /// The standing is another, but the guest is the same as far as that was known.
    Other,
    /// What was counted is not the guest's any more, though its process may be the same: it was restored, reverted to a
    /// snapshot, or is not that domain now. Over AF_VSOCK there is no process to tell that another domain has its name.
    AnotherRun,
}

impl Requester {
    /// A guest that has asked nothing yet, and of which only the name is known.
    ///
    /// `time_shift`: by how much the times of its incidents are moved back, less than a minute. It is
    /// secret for each guest, because exact times would prove that two guests share a host.
    pub fn new(
        name: Name,
        grant: Arc<Grant>,
        host_id: HostId,
        time_shift: Duration,
        session: Session,
    ) -> Self {
        Self {
            name,
            grant,
            undecided: None,
            host_id,
            time_shift,
            session,
            standing: Standing::default(),
            peer: None,
            document: None,
            era: 0,
            allowance: Allowance::default(),
            is_absent: false,
        }
    }

    /// The same for a preview of a guest that does not exist. No command is run and no file is read for it, since
    /// there is no bound on the number of such names.
    #[must_use]
    pub fn absent(self) -> Self {
        Self { is_absent: true, ..self }
    }

    /// The name of its socket.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// What its rule grants.
    pub fn grant(&self) -> &Grant {
        &self.grant
    }

    /// Its session.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// What libvirt says about its socket.
    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    /// Notes which process is at the other end. The result is true if it is not certainly the same as before. The session
    /// that `fresh` makes begins then, but not at the first connection, which goes on with the session that it has.
    ///
    /// # Errors
    /// The error of `fresh`.
    pub fn connected<E>(
        &mut self,
        peer: Option<Peer>,
        fresh: impl FnOnce() -> Result<Session, E>,
    ) -> Result<bool, E> {
        let is_known = self.peer.flatten().zip(peer).is_some_and(|(before, now)| before.is(now));
        if self.peer.is_some() && !is_known {
            self.session = fresh()?;
            // Where libvirt knows the run, a document made in it is for whatever process the run has.
            if !matches!(self.standing, Standing::Domain(..)) {
                self.begin_era();
            }
        }
        if let Some(document) = self.document.as_mut().filter(|_| !is_known) {
            document.expire();
        }
        self.peer = Some(peer);
        Ok(!is_known)
    }

    /// Differs from an earlier one if what was made for the guest then must not be given out any more: its rule permits
    /// something else, libvirt says something else about its socket, or another process has it.
    pub fn era(&self) -> u32 {
        self.era
    }

    fn begin_era(&mut self) {
        self.document = None;
        self.era = self.era.wrapping_add(1);
    }

    /// Whether it was ever connected.
    pub fn was_connected(&self) -> bool {
        self.peer.is_some()
    }

    /// The process at the other end, if known.
    pub fn peer(&self) -> Option<Peer> {
        self.peer.flatten()
    }

    /// The number of that process.
    pub fn pid(&self) -> Option<i32> {
        self.peer().map(|peer| peer.pid)
    }

    /// Identifies the guest across restarts of the daemon; `None` if that is unknown.
    pub fn key(&self) -> Option<GuestKey> {
        match self.standing {
            Standing::Domain(uuid, _) => Some(GuestKey::Domain(uuid)),
            Standing::Unnamed => self.process_key(),
            Standing::Refused(_) | Standing::Awaited => None,
        }
    }

    /// The same by the process alone, whatever libvirt says.
    pub fn process_key(&self) -> Option<GuestKey> {
        let Peer { pid, start } = self.peer.flatten()?;
        Some(GuestKey::Process { pid, start: start? })
    }

    /// Applies what the rules say of it. As long as that depends on tags that cannot be read, nobody
    /// knows what it may see, so it sees nothing; what is kept of it stays.
    pub fn apply_decision(&mut self, decision: Decision, observed: &mut Observed) {
        match decision {
            Decision::Granted(grant) => self.apply_grant(grant, observed),
            Decision::Unreadable(grant) => {
                self.begin_era();
                self.undecided = grant.rule().cloned().map(Box::new);
                self.grant = Arc::new(Grant::closed());
            }
        }
    }

    /// Applies a rule's grant. If the guest may now see other things, an older document is not
    /// given out again. If it is no longer watched by its rule, its incidents are dropped.
    pub fn apply_grant(&mut self, grant: Arc<Grant>, observed: &mut Observed) {
        if !self.grant.shows_the_same(&grant) {
            self.begin_era();
        }
        if self.may_be_watched() && !grant.watch() {
            observed.incidents = GuestIncidents::default();
        }
        self.undecided = None;
        self.grant = grant;
    }

    /// Sets what libvirt says about its socket. An older document is not given out again.
    pub fn set_standing(&mut self, standing: Standing) -> Change {
        if self.standing == standing {
            return Change::Same;
        }
        let before = std::mem::replace(&mut self.standing, standing);
        self.begin_era();
        match before {
            Standing::Domain(..) => Change::AnotherRun,
            Standing::Unnamed | Standing::Refused(_) | Standing::Awaited => Change::Other,
        }
    }

    /// Begins another session: libvirt's counters start over in it.
    pub fn begin_session(&mut self, session: Session, observed: &mut Observed) {
        self.session = session;
        observed.forget_history();
    }

    /// A copy for a preview. It may ask whatever the guest asked before, and nothing is counted
    /// against the guest.
    #[must_use]
    pub fn for_preview(&self) -> Self {
        Self {
            name: self.name.clone(),
            grant: Arc::clone(&self.grant),
            undecided: self.undecided.clone(),
            host_id: self.host_id.clone(),
            time_shift: self.time_shift,
            session: self.session.clone(),
            standing: self.standing.clone(),
            peer: self.peer,
            document: None,
            era: self.era,
            allowance: Allowance::default(),
            is_absent: self.is_absent,
        }
    }

    /// The rule that applies, or that may, if that depends on tags that cannot be read.
    pub fn rule(&self) -> Option<&Origin> {
        self.undecided.as_deref().or(self.grant.rule())
    }

    /// Whether its rule says `watch = 1`, or may say so: which rule applies may depend on tags that cannot be read.
    pub fn may_be_watched(&self) -> bool {
        self.grant.watch() || self.is_undecided()
    }

    /// Time until its next query may be answered; zero if it may be answered now.
    pub fn wait(&self, now: Instant) -> Duration {
        self.allowance.wait(self.grant.interval(), now)
    }

    /// A query of it has to wait for values. It counts from the first time on.
    pub(crate) fn begin(&mut self, when: When) {
        if !when.is_begun {
            self.allowance.begin(when.now);
        }
    }

    /// It has hung up before a query was answered that the host was working on. That counts: otherwise a guest could
    /// make the host work on and on for answers that it does not wait for.
    pub fn gave_up(&mut self, now: Instant) {
        self.allowance.spend(Cost::Read, now);
    }
}

#[cfg(test)]
mod tests;
