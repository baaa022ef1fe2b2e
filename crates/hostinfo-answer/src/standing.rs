//! Who is who: what libvirt says of a guest's socket, and whether the guest may ask at all.
//!
//! Found when a guest connects and when libvirt's domains change, never at a query. While libvirt
//! does not answer, what was found holds for the process that it was found for.

use hostinfo_domains::{Claim, Run, Snapshot, Uuid};

/// To whom a guest's socket belongs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Standing {
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
    pub fn of(socket: &str, snapshot: &Snapshot, required: bool) -> Self {
        match snapshot.whose().of(socket) {
            Claim::Named(uuid) => {
                snapshot.guest(uuid).map_or(Self::Unnamed, |guest| Self::Domain(uuid, guest.run()))
            }
            Claim::Refused(conflict) => Self::Refused(conflict.to_string()),
            Claim::Unnamed if required => Self::Refused(REQUIRED.to_owned()),
            Claim::Unnamed => Self::Unnamed,
        }
    }

    /// What libvirt says of a guest whose domain is known by something else than its socket; `None` where
    /// that does not run any more.
    pub fn of_domain(uuid: Uuid, snapshot: &Snapshot) -> Option<Self> {
        let guest = snapshot.guest(uuid).filter(|guest| guest.domain.is_live())?;
        Some(Self::Domain(uuid, guest.run()))
    }

    /// What holds while libvirt does not answer.
    pub fn unknown(required: bool) -> Self {
        if required { Self::Awaited } else { Self::Unnamed }
    }

    /// Whether the guest may ask, as far as this goes.
    pub fn may_ask(&self) -> bool {
        matches!(self, Self::Unnamed | Self::Domain(..))
    }
}

#[cfg(test)]
mod tests;
