//! Whose an address on vsock is.

use hostinfo_domains::{Domain, Uuid};

use crate::reactor::id::GuestId;

/// Whose it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// A running domain's.
    Domain(Uuid),
    /// A guest's whose VMM has it on its command line.
    Guest(GuestId),
}

/// Why it is nobody's.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoOwner {
    #[error("no running guest of this host has it")]
    Unknown,
    #[error("more than one running guest claims it: give each another <cid> with virsh edit")]
    Several,
}

/// Whose it is, of the domains that libvirt knows and of guests of other VMMs. A command line never overrides
/// libvirt: `vmms` are guests that no domain is.
pub(super) fn owner<'d>(
    cid: u32,
    domains: impl Iterator<Item = &'d Domain>,
    vmms: impl Iterator<Item = GuestId>,
) -> Result<Owner, NoOwner> {
    let claims = |domain: &Domain| domain.is_live() && domain.cid == Some(cid);
    let domains = domains.filter(|domain| claims(domain)).map(|domain| Owner::Domain(domain.uuid));
    only(domains).or_else(|nobody| match nobody {
        NoOwner::Unknown => only(vmms.map(Owner::Guest)),
        NoOwner::Several => Err(nobody),
    })
}

fn only(mut owners: impl Iterator<Item = Owner>) -> Result<Owner, NoOwner> {
    match (owners.next(), owners.next()) {
        (None, _) => Err(NoOwner::Unknown),
        (Some(owner), None) => Ok(owner),
        (Some(_), Some(_)) => Err(NoOwner::Several),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reactor::id::Id as _;
    use hostinfo_domains::examples::domain;

    fn with_cid(number: u128, name: &str, cid: u32) -> Domain {
        Domain { cid: Some(cid), ..domain(number, name) }
    }

    #[test]
    fn an_address_that_two_claim_is_nobodys() {
        let off = Domain { id: None, ..with_cid(9, "off", 3) };
        let known = [with_cid(7, "a", 3), with_cid(8, "b", 4), with_cid(10, "c", 4), off];
        let guest = GuestId::of(1);
        let find = |cid, vmms: &[GuestId]| owner(cid, known.iter(), vmms.iter().copied());
        assert_eq!(find(3, &[]), Ok(Owner::Domain(Uuid::from_u128(7))));
        assert_eq!(find(3, &[guest]), find(3, &[]), "a command line overrides nothing");
        assert_eq!(find(4, &[]), Err(NoOwner::Several));
        assert_eq!(find(5, &[]), Err(NoOwner::Unknown));
        assert_eq!(find(5, &[guest]), Ok(Owner::Guest(guest)));
        assert_eq!(owner(5, [].iter(), [guest, GuestId::of(2)].into_iter()), Err(NoOwner::Several));
    }
}
