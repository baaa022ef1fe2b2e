//! What libvirt had said to one daemon, for the daemon that takes its place: it is used until a helper of its own has
//! answered.

use std::sync::Arc;
use std::time::Instant;

use hostinfo_handover::{At, instant};
use serde::{Deserialize, Serialize};

use crate::domain::{Domain, Figures};
use crate::helper::Helper;
use crate::message::Hypervisor;
use crate::pauses::Pauses;
use crate::snapshot::Guest;

/// What libvirt had said up to its last complete answer.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    hypervisor: Option<Hypervisor>,
    guests: Vec<KnownGuest>,
    /// When that was asked for.
    #[serde(with = "instant::option")]
    as_of: Option<Instant>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KnownGuest {
    domain: Domain,
    figures: Option<(Figures, At)>,
    pauses: Pauses,
    reverts: u32,
}

impl Helper {
    /// What is known, for the program that takes this one's place; `None` while libvirt does not answer.
    pub fn hand_over(&self, now: Instant) -> Option<Known> {
        let snapshot = self.snapshot();
        if snapshot.outage.is_some() {
            return None;
        }
        let guests = snapshot.guests().map(|guest| {
            let mut guest = Guest::clone(guest);
            guest.pauses.lose_sight(now);
            KnownGuest::from(guest)
        });
        let guests = guests.collect();
        Some(Known { hypervisor: snapshot.hypervisor.clone(), guests, as_of: self.as_of() })
    }

    /// Goes on with what another program's helper knew. That counts until this one has answered, or failed to.
    pub fn take_over(&mut self, known: Known) {
        let Known { hypervisor, guests, as_of } = known;
        let guests = guests.into_iter().map(Guest::from);
        let guests = guests.map(|guest| (guest.domain.uuid, Arc::new(guest))).collect();
        self.set_known(guests, hypervisor, as_of);
    }
}

impl From<Guest> for KnownGuest {
    fn from(guest: Guest) -> Self {
        let Guest { domain, figures, pauses, reverts } = guest;
        let figures = figures.map(|(figures, at)| (figures, At(at)));
        Self { domain, figures, pauses, reverts }
    }
}

impl From<KnownGuest> for Guest {
    fn from(guest: KnownGuest) -> Self {
        let KnownGuest { domain, figures, pauses, reverts } = guest;
        let figures = figures.map(|(figures, At(at))| (figures, at));
        Self { domain, figures, pauses, reverts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    use uuid::Uuid;

    use crate::domain::State;
    use crate::examples::domain;
    use crate::{Claim, Snapshot};

    fn helper() -> Helper {
        Helper::new(Vec::new(), Vec::new()).unwrap()
    }

    fn known(helper: &Helper, now: Instant) -> Known {
        let known = serde_json::to_vec(&helper.hand_over(now).unwrap()).unwrap();
        serde_json::from_slice(&known).unwrap()
    }

    #[test]
    fn libvirts_last_answer_counts_in_the_next_program_until_its_own_helper_fails() {
        let now = Instant::now();
        let (mut before, mut after) = (helper(), helper());
        assert!(before.hand_over(now).is_none(), "nothing is known yet");
        let domains = [(domain(1, "a"), Some(Figures::default())), (domain(2, "b"), None)];
        before.set_snapshot(Snapshot::of(domains, now), now);
        after.take_over(known(&before, now));
        let snapshot = Arc::clone(after.snapshot());
        assert_eq!(snapshot.whose().of("qemu-a"), Claim::Named(Uuid::from_u128(1)));
        assert_eq!(
            snapshot.guest(Uuid::from_u128(1)).unwrap().figures,
            Some((Figures::default(), now))
        );
        assert_eq!(after.as_of(), Some(now));
        // There is no program to start.
        after.want(now);
        assert!(after.on_time(now));
        assert!(after.snapshot().outage().is_some() && after.as_of().is_none());
    }

    #[test]
    fn a_pause_counts_on() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let paused = domain(1, "a");
        let (mut before, mut after) = (helper(), helper());
        before.set_snapshot(
            Snapshot::of([(crate::Domain { state: State::Paused, ..paused }, None)], at(0)),
            at(0),
        );
        after.take_over(known(&before, at(3)));
        let total =
            |helper: &Helper, now| helper.snapshot().guest(Uuid::from_u128(1)).unwrap().paused(now);
        assert_eq!(total(&after, at(5)), Duration::from_secs(5));
    }
}
