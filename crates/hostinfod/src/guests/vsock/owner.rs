//! Whose an address on vsock is: that of the process which holds it.
//!
//! The kernel gives an address to one process at a time, and resets that one's connections when it ends. libvirt takes the
//! address for a domain before it runs it, so the process of a domain that has run holds what its XML says, until it ends.
//! A domain that is only starting has a number and an address already, and the address may still be another process's.

use std::collections::HashSet;

use hostinfo_domains::{Domain, State, Uuid};

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
    #[error("more than one running domain has it: give each another <cid> with virsh edit")]
    Domains,
    /// Among others, these. Which of them the kernel gave it to is not known, and to believe the first would let a VMM that
    /// lies early be answered for another.
    #[error("more than one process has it on its command line")]
    Vmms([GuestId; 2]),
    #[error("the domain that has it does not run yet, or is being moved")]
    NotYet,
}

/// Whose it is, of the domains that libvirt knows and of guests of other VMMs. A command line never overrides
/// libvirt: `vmms` are guests that no domain is.
pub(super) fn owner<'d>(
    cid: u32,
    domains: impl Iterator<Item = &'d Domain>,
    vmms: impl Iterator<Item = GuestId>,
) -> Result<Owner, NoOwner> {
    let claims = |domain: &&Domain| domain.is_live() && domain.cid == Some(cid);
    let (moving, running): (Vec<_>, Vec<_>) =
        domains.filter(claims).partition(|domain| domain.state == State::Moving);
    match running[..] {
        [domain] => Ok(Owner::Domain(domain.uuid)),
        [] if !moving.is_empty() => Err(NoOwner::NotYet),
        [] => only(vmms),
        _ => Err(NoOwner::Domains),
    }
}

/// The addresses of all running domains.
pub(super) fn addresses<'d>(domains: impl Iterator<Item = &'d Domain>) -> HashSet<u32> {
    let running = domains.filter(|domain| domain.is_live() && domain.state != State::Moving);
    running.filter_map(|domain| domain.cid).collect()
}

fn only(mut vmms: impl Iterator<Item = GuestId>) -> Result<Owner, NoOwner> {
    match (vmms.next(), vmms.next()) {
        (None, _) => Err(NoOwner::Unknown),
        (Some(guest), None) => Ok(Owner::Guest(guest)),
        (Some(one), Some(other)) => Err(NoOwner::Vmms([one, other])),
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
        assert_eq!(find(4, &[]), Err(NoOwner::Domains));
        assert_eq!(find(5, &[]), Err(NoOwner::Unknown));
        assert_eq!(find(5, &[guest]), Ok(Owner::Guest(guest)));
        let both = [guest, GuestId::of(2)];
        assert_eq!(owner(5, [].iter(), both.into_iter()), Err(NoOwner::Vmms(both)));
        assert_eq!(addresses(known.iter()), HashSet::from([3, 4]));
    }

    #[test]
    fn a_domain_that_is_only_starting_has_no_address_yet() {
        let running = with_cid(7, "a", 3);
        let starting = Domain { state: State::Moving, ..with_cid(8, "b", 3) };
        let (guest, find) = (GuestId::of(1), |known: &[Domain], vmms: &[GuestId]| {
            owner(3, known.iter(), vmms.iter().copied())
        });
        for vmms in [&[][..], &[guest]] {
            assert_eq!(find(std::slice::from_ref(&starting), vmms), Err(NoOwner::NotYet));
            assert!(addresses([&starting].into_iter()).is_empty());
            // It cannot start, as its address is taken.
            let both = [starting.clone(), running.clone()];
            assert_eq!(find(&both, vmms), Ok(Owner::Domain(running.uuid)));
        }
    }
}
