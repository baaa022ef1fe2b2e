//! A guest's identity: what libvirt says about its socket, and whether the guest may ask at all.
//!
//! Determined when a guest connects and when libvirt's domains change, never at a query. While
//! libvirt does not answer, the last result holds for the process it was determined for. A conflict, however, holds for
//! whatever process has the socket, and the socket of a running domain is not served for a process of another.

use hostinfo_domains::{Claim, Marks, Run, Snapshot, Uuid};
use serde::{Deserialize, Serialize};

/// Which guest a socket belongs to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// No running domain names it: the socket's name says which guest it is.
    #[default]
    Unnamed,
    /// This domain, in this run of it.
    Domain(Uuid, Run),
    /// The socket is used by a guest it does not belong to; the reason is for the administrator.
    Refused(String),
    /// libvirt does not answer, and has to say first whose process this is.
    Awaited,
}

/// Why a socket that no domain names is refused.
const REQUIRED: &str =
    "no running domain of libvirt names this socket, and hostinfod.toml says required = true";

impl Standing {
    /// What libvirt says about the socket of that name, if a process with these marks listens there.
    /// `required`: it must belong to a domain.
    pub fn of(socket: &str, marks: Option<&Marks>, snapshot: &Snapshot, required: bool) -> Self {
        if let Some(conflict) = marks.and_then(|marks| snapshot.conflict(socket, marks)) {
            return Self::Refused(conflict.to_string());
        }
        match snapshot.whose().of(socket) {
            Claim::Named(uuid) => {
                snapshot.guest(uuid).map_or(Self::Unnamed, |guest| Self::Domain(uuid, guest.run()))
            }
            Claim::Refused(conflict) => Self::Refused(conflict.to_string()),
            Claim::Portless(_) | Claim::Unnamed if required => Self::Refused(REQUIRED.to_owned()),
            Claim::Portless(_) | Claim::Unnamed => Self::Unnamed,
        }
    }

    /// The standing of a guest whose domain is known by something other than its `socket`; `None` if that domain does not
    /// run any more, or under another name. A process with these marks, if one listens at the socket, has to be the domain's:
    /// otherwise two guests with one name would be answered as one.
    pub fn of_domain(
        uuid: Uuid,
        socket: &str,
        marks: Option<&Marks>,
        snapshot: &Snapshot,
    ) -> Option<Self> {
        let guest = snapshot.guest(uuid).filter(|guest| guest.domain.is_live_at(socket))?;
        let conflict = marks.and_then(|marks| snapshot.conflict_of(uuid, socket, marks));
        Some(conflict.map_or_else(
            || Self::Domain(uuid, guest.run()),
            |conflict| Self::Refused(conflict.to_string()),
        ))
    }

    /// The standing of a new process with these marks at the socket of that name while libvirt does not answer; `snapshot` is
    /// what is left of libvirt's last answer. At a socket that has the name of a domain that ran then, it may be another
    /// domain's, unless its cgroup names the run that the domain had.
    pub fn unknown(
        socket: &str,
        marks: Option<&Marks>,
        snapshot: &Snapshot,
        required: bool,
    ) -> Self {
        match snapshot.whose().of(socket) {
            Claim::Refused(conflict) => Self::Refused(conflict.to_string()),
            _ if required || snapshot.is_in_doubt(socket, marks) => Self::Awaited,
            Claim::Named(_) | Claim::Portless(_) | Claim::Unnamed => Self::Unnamed,
        }
    }

    /// Whether the standing lets the guest ask.
    pub fn may_ask(&self) -> bool {
        matches!(self, Self::Unnamed | Self::Domain(..))
    }
}

#[cfg(test)]
mod tests;
