//! Who asks: whose socket it is, what its rule grants, and what it has of that.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hostinfo_catalog::StatId;
use hostinfo_rules::{Grant, Why};

use crate::allowance::Allowance;
use crate::host_id::HostId;
use crate::key::{Held, Key};
use crate::name::Name;
use crate::observed::Observed;
use crate::peer::Peer;
use crate::session::Session;
use crate::standing::Standing;

/// A guest as one who asks, however many connections it has.
#[derive(Debug)]
pub struct Who {
    pub(crate) name: Name,
    pub(crate) grant: Arc<Grant>,
    pub(crate) host_id: HostId,
    pub(crate) phase: Duration,
    pub(crate) session: Session,
    pub(crate) standing: Standing,
    /// The process at the other end, once there was one; `None` in it where it is not known.
    peer: Option<Option<Peer>>,
    /// What vhostmd's client got last, for when it asks too soon: it knows no 429.
    pub(crate) document: Option<Box<str>>,
    /// What it has of its interval.
    pub(crate) allowance: Allowance,
}

/// What became of a [`Who`] with another [`Standing`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It is the standing that it had.
    Same,
    /// It is another, and the guest the same as far as that was known.
    Other,
    /// The process is the same, and what it runs is not: it was restored, or went back to a snapshot.
    AnotherRun,
}

impl Who {
    /// One that has asked nothing yet, and that nobody knows anything of but its name.
    ///
    /// `phase`: by how much the times of its incidents are moved, under a minute. It is its own secret,
    /// lest exact times prove that two guests share a host.
    pub fn new(
        name: Name,
        grant: Arc<Grant>,
        host_id: HostId,
        phase: Duration,
        session: Session,
    ) -> Self {
        Self {
            name,
            grant,
            host_id,
            phase,
            session,
            standing: Standing::default(),
            peer: None,
            document: None,
            allowance: Allowance::default(),
        }
    }

    /// Whose socket it is.
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

    /// What libvirt says of its socket.
    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    /// Notes which process is at the other end, and begins the session that `fresh` makes where
    /// it is not known to be the one of before. True where it is not.
    ///
    /// # Errors
    /// That of `fresh`.
    pub fn connected<E>(
        &mut self,
        peer: Option<Peer>,
        fresh: impl FnOnce() -> Result<Session, E>,
    ) -> Result<bool, E> {
        let is_known = self.peer.flatten().zip(peer).is_some_and(|(before, now)| before.is(now));
        if self.peer.is_some() && !is_known {
            self.session = fresh()?;
        }
        self.peer = Some(peer);
        Ok(!is_known)
    }

    /// Whether it was ever connected to.
    pub fn has_come(&self) -> bool {
        self.peer.is_some()
    }

    /// The process at the other end, where it is known.
    pub fn peer(&self) -> Option<Peer> {
        self.peer.flatten()
    }

    /// Its number.
    pub fn pid(&self) -> Option<i32> {
        self.peer().map(|peer| peer.pid)
    }

    /// What makes it the same guest as before a restart; `None` where that is not known.
    pub fn key(&self) -> Option<Key> {
        match self.standing {
            Standing::Domain(uuid, _) => Some(Key::Domain(uuid)),
            Standing::Unnamed => self.process(),
            Standing::Refused(_) | Standing::Awaited => None,
        }
    }

    /// The same without libvirt.
    pub fn process(&self) -> Option<Key> {
        let Peer { pid, start } = self.peer.flatten()?;
        Some(Key::Process { pid, start: start? })
    }

    /// Puts it under a rule. No document that was made under another is given out where it may see other
    /// things now, and no incident is kept where none is to be recorded any more.
    pub fn apply_grant(&mut self, grant: Arc<Grant>, observed: &mut Observed) {
        if !self.grant.shows_the_same(&grant) {
            self.document = None;
        }
        if self.grant.watch() && !grant.watch() {
            observed.held = Held::default();
        }
        self.grant = grant;
    }

    /// Takes over what libvirt says of its socket. No document that was made before is given out.
    pub fn set_standing(&mut self, standing: Standing) -> Change {
        if self.standing == standing {
            return Change::Same;
        }
        let before = std::mem::replace(&mut self.standing, standing);
        self.document = None;
        match (before, &self.standing) {
            (Standing::Domain(..), Standing::Domain(..)) => Change::AnotherRun,
            _ => Change::Other,
        }
    }

    /// Has another session begin: nothing that libvirt told in the last one counts on in it.
    pub fn begin_session(&mut self, session: Session, observed: &mut Observed) {
        self.session = session;
        observed.forget_history();
    }

    /// Somebody who gets what it would get, whatever it asked before, and in whose name nothing is
    /// counted.
    #[must_use]
    pub fn for_preview(&self) -> Self {
        Self {
            name: self.name.clone(),
            grant: Arc::clone(&self.grant),
            host_id: self.host_id.clone(),
            phase: self.phase,
            session: self.session.clone(),
            standing: self.standing.clone(),
            peer: self.peer,
            document: None,
            allowance: Allowance::default(),
        }
    }

    /// Whether it may ask at all.
    pub fn may_ask(&self) -> bool {
        self.grant.enabled() && self.standing.may_ask()
    }

    /// Whether it may see a statistic, of that instance where it has them, and by which line of the
    /// rules file. No line stands for [`Who::refusal`] where that is not its rule's.
    pub fn explain(&self, stat: StatId, instance: Option<&str>) -> Why {
        if self.may_ask() {
            return self.grant.explain(stat, instance);
        }
        let line = self.grant.disabled_by().filter(|_| self.standing.may_ask());
        Why { permitted: false, line }
    }

    /// Why it may not ask at all.
    pub fn refusal(&self) -> Option<Cow<'_, str>> {
        match &self.standing {
            Standing::Refused(why) => Some(Cow::Borrowed(why)),
            Standing::Awaited => Some(Cow::Borrowed(
                "libvirt does not answer, and hostinfod.toml says required = true",
            )),
            Standing::Unnamed | Standing::Domain(..) if self.grant.enabled() => None,
            Standing::Unnamed | Standing::Domain(..) => {
                Some(Cow::Borrowed("its rule says enabled = 0"))
            }
        }
    }

    /// How long until it may have a query answered; nothing where it may now.
    pub fn wait(&self, now: Instant) -> Duration {
        self.allowance.wait(self.grant.interval(), now)
    }
}

#[cfg(test)]
mod tests;
