//! Who is who: what libvirt says of a guest's socket, and whether the guest may ask at all.
//!
//! Found when a guest connects and when libvirt's domains change, never at a query. While libvirt
//! does not answer, what was found holds for the process that it was found for.

use std::borrow::Cow;
use std::time::Instant;

use hostinfo_domains::{Claim, Run, Snapshot, Uuid};

use crate::guest::history::History;
use crate::guest::{Guest, Session};
use crate::server::{Alarm, Server};

/// To whom a guest's socket belongs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Standing {
    /// No running domain names it: the guest is who the socket's name says.
    #[default]
    Unnamed,
    /// To this domain, in this run of it.
    Domain(Uuid, Run),
    /// To whom it should not; why, for the administrator.
    Refused(String),
    /// It is not known, and has to be.
    Awaited,
}

/// Why a socket that no domain names is refused.
const REQUIRED: &str =
    "no running domain of libvirt names this socket, and hostinfod.toml says required = true";

impl Standing {
    /// What libvirt says of the socket of that name. `required`: it has to be a domain's.
    pub(crate) fn of(socket: &str, snapshot: &Snapshot, required: bool) -> Self {
        match snapshot.whose().of(socket) {
            Claim::Named(uuid) => {
                snapshot.guest(uuid).map_or(Self::Unnamed, |guest| Self::Domain(uuid, guest.run()))
            }
            Claim::Refused(conflict) => Self::Refused(conflict.to_string()),
            Claim::Unnamed if required => Self::Refused(REQUIRED.to_owned()),
            Claim::Unnamed => Self::Unnamed,
        }
    }

    /// What holds while libvirt does not answer.
    pub(crate) fn unknown(required: bool) -> Self {
        if required { Self::Awaited } else { Self::Unnamed }
    }

    /// Whether the guest may ask, as far as this goes.
    pub(crate) fn may_ask(&self) -> bool {
        matches!(self, Self::Unnamed | Self::Domain(..))
    }
}

impl Guest {
    /// Takes over what was found. True where that is another thing than before.
    pub(crate) fn stand(&mut self, standing: Standing, now: Instant) -> bool {
        if self.standing == standing {
            return false;
        }
        let refusal = self.refusal().map(Cow::into_owned);
        let before = std::mem::replace(&mut self.standing, standing);
        if matches!((before, &self.standing), (Standing::Domain(..), Standing::Domain(..))) {
            self.begin_anew();
        }
        // Of who is still to come it is logged when that comes; with a disk nothing need come.
        let is_here = self.has_come() || self.grant.vhostmd_disk();
        if is_here && self.refusal().as_deref() != refusal.as_deref() {
            self.log_access(now);
        }
        // Nothing that was made before is given out.
        self.document = None;
        true
    }

    /// The process is the same, and what it runs is not: it was restored, or went back to a
    /// snapshot.
    fn begin_anew(&mut self) {
        match Session::begin() {
            Ok(session) => {
                self.session = session;
                self.observed.history = History::default();
            }
            Err(error) => tracing::error!(guest = self.name.whole(), "no new session: {error}"),
        }
    }
}

impl Server {
    /// Takes over what libvirt says now of everybody's socket.
    pub(crate) fn find_out_who_is_who(&mut self, now: Instant) {
        let libvirt = self.desk.libvirt();
        for (number, guest) in &mut self.roster.guests {
            let Some(standing) = libvirt.standing(guest.name.whole()) else { return };
            if guest.stand(standing, now) && guest.grant.vhostmd_disk() {
                self.alarms.set(Alarm::Disk(number), Some(now));
            }
        }
    }
}

#[cfg(test)]
mod tests;
