//! Collects the helper's messages until they form a complete picture.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use uuid::Uuid;

use crate::domain::{Domain, Figures, State};
use crate::limits::{BYTES_MAX, DOMAINS_MAX};
use crate::message::Hypervisor;
use crate::pauses::Pauses;
use crate::snapshot::{Guest, Snapshot};
use crate::whose::Whose;

/// All domains reported so far. What is known about a domain's pauses outlives the helper.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    guests: BTreeMap<Uuid, Arc<Guest>>,
    before: BTreeMap<Uuid, Arc<Guest>>,
    hypervisor: Option<Hypervisor>,
    whose: Arc<Whose>,
    domains_changed: bool,
    /// Of `guests` and `before` together.
    bytes: usize,
}

fn size(guest: &Guest) -> usize {
    let figures = guest.figures.as_ref().map_or(0, |(figures, _)| figures.size());
    guest.domain.size() + figures
}

impl Collector {
    /// What is known of domains from before a helper was started.
    pub(crate) fn after(before: BTreeMap<Uuid, Arc<Guest>>) -> Self {
        let bytes = before.values().map(|guest| size(guest)).sum();
        Self { before, bytes, ..Self::default() }
    }

    /// Whether it holds no more than [`BYTES_MAX`]. For that, what an earlier helper knew gives way.
    pub(crate) fn fits(&mut self) -> bool {
        if self.bytes > BYTES_MAX {
            self.forget_before();
        }
        self.bytes <= BYTES_MAX
    }

    fn forget_before(&mut self) {
        let before = std::mem::take(&mut self.before);
        self.bytes -= before.values().map(|guest| size(guest)).sum::<usize>();
    }

    /// Takes out what is known of a domain.
    fn take(&mut self, uuid: Uuid) -> Option<Arc<Guest>> {
        let known = self.guests.remove(&uuid).or_else(|| self.before.remove(&uuid))?;
        self.bytes -= size(&known);
        Some(known)
    }

    pub(crate) fn domain(&mut self, domain: Domain, now: Instant) {
        let uuid = domain.uuid;
        let known = self.take(uuid);
        if self.guests.len() >= DOMAINS_MAX {
            return;
        }
        let is_paused = domain.state == State::Paused;
        let mut guest = match known.map(Arc::unwrap_or_clone) {
            Some(known) if known.domain.id == domain.id => Guest { domain, ..known },
            _ => Guest { domain, figures: None, pauses: Pauses::default(), reverts: 0 },
        };
        guest.pauses.see(is_paused, now);
        self.bytes += size(&guest);
        self.guests.insert(uuid, Arc::new(guest));
        self.domains_changed = true;
    }

    /// The domain went back to a snapshot, in the same process.
    pub(crate) fn reverted(&mut self, uuid: Uuid) {
        if let Some(guest) = self.guests.get_mut(&uuid) {
            let guest = Arc::make_mut(guest);
            guest.reverts = guest.reverts.saturating_add(1);
            self.domains_changed = true;
        }
    }

    pub(crate) fn gone(&mut self, uuid: Uuid) {
        self.bytes -= self.guests.remove(&uuid).map_or(0, |guest| size(&guest));
        self.domains_changed = true;
    }

    /// Figures of an unknown domain are ignored.
    pub(crate) fn figures(&mut self, uuid: Uuid, figures: Figures, now: Instant) {
        if let Some(guest) = self.guests.get_mut(&uuid) {
            let guest = Arc::make_mut(guest);
            self.bytes -= size(guest);
            guest.figures = Some((figures, now));
            self.bytes += size(guest);
        }
    }

    pub(crate) fn hypervisor(&mut self, hypervisor: Hypervisor) {
        self.hypervisor = Some(hypervisor);
    }

    /// Everything received so far is consistent.
    pub(crate) fn snapshot(&mut self) -> Snapshot {
        self.forget_before();
        if std::mem::take(&mut self.domains_changed) {
            self.whose = Arc::new(Whose::new(self.guests.values().map(|guest| &guest.domain)));
        }
        Snapshot {
            outage: None,
            hypervisor: self.hypervisor.clone(),
            guests: self.guests.clone(),
            whose: Arc::clone(&self.whose),
        }
    }

    /// No more messages will come from this helper; the next one starts from the beginning.
    pub(crate) fn clear(&mut self, now: Instant) {
        // If the helper ended before it had reported everything, the domains it did not reach are
        // kept.
        self.before.append(&mut self.guests);
        for guest in self.before.values_mut() {
            let guest = Arc::make_mut(guest);
            guest.figures = None;
            guest.pauses.lose_sight(now);
        }
        *self = Self::after(std::mem::take(&mut self.before));
    }
}

impl Snapshot {
    /// What is known if exactly these domains and figures were reported at `now`.
    pub fn of(told: impl IntoIterator<Item = (Domain, Option<Figures>)>, now: Instant) -> Self {
        let mut collector = Collector::default();
        for (domain, figures) in told {
            let uuid = domain.uuid;
            collector.domain(domain, now);
            if let Some(figures) = figures {
                collector.figures(uuid, figures, now);
            }
        }
        collector.snapshot()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    use crate::examples;
    use crate::names::Names;

    fn domain(id: Option<u32>, state: State) -> Domain {
        Domain { id, state, ..examples::domain(1, "a") }
    }

    fn paused(collector: &mut Collector, now: Instant) -> u64 {
        let snapshot = collector.snapshot();
        snapshot.guest(Uuid::from_u128(1)).unwrap().paused(now).as_secs()
    }

    #[test]
    fn figures_stay_while_a_domain_changes_and_go_when_it_was_started_anew() {
        let (mut collector, now) = (Collector::default(), Instant::now());
        let has_figures = |collector: &mut Collector| {
            collector.snapshot().guest(Uuid::from_u128(1)).unwrap().figures.is_some()
        };
        collector.domain(domain(Some(1), State::Running), now);
        collector.figures(Uuid::from_u128(1), Figures::default(), now);
        collector.figures(Uuid::from_u128(2), Figures::default(), now);
        collector.domain(domain(Some(1), State::Paused), now);
        assert!(has_figures(&mut collector));
        collector.domain(domain(Some(2), State::Running), now);
        assert!(!has_figures(&mut collector));
    }

    #[test]
    fn a_snapshot_counts_what_runs_and_knows_whose_a_socket_is() {
        let (mut collector, now) = (Collector::default(), Instant::now());
        collector.domain(domain(Some(1), State::Running), now);
        let snapshot = collector.snapshot();
        assert_eq!((snapshot.running(), snapshot.vcpus()), (1, 2));
        assert_eq!(snapshot.whose().of("qemu-a"), crate::Claim::Named(Uuid::from_u128(1)));
        collector.domain(domain(Some(1), State::Paused), now);
        let later = collector.snapshot();
        assert_eq!((later.running(), later.vcpus()), (0, 0));
        assert_eq!(snapshot.running(), 1, "a snapshot does not change");
        collector.gone(Uuid::from_u128(1));
        assert_eq!(collector.snapshot().whose().of("qemu-a"), crate::Claim::Unnamed);
    }

    #[test]
    fn the_time_paused_outlives_the_helper_and_not_the_run_of_the_domain() {
        let (mut collector, start) = (Collector::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        collector.domain(domain(Some(1), State::Paused), at(0));
        collector.clear(at(3));
        // The next helper ends before it has reported anything.
        collector.clear(at(4));
        collector.domain(domain(Some(1), State::Running), at(5));
        assert_eq!(paused(&mut collector, at(6)), 3);
        collector.domain(domain(Some(2), State::Running), at(7));
        assert_eq!(paused(&mut collector, at(8)), 0);
    }

    #[test]
    fn a_run_goes_on_when_the_helper_starts_anew_and_ends_with_a_snapshot_or_another_start() {
        let (mut collector, now) = (Collector::default(), Instant::now());
        let run = |collector: &mut Collector| {
            collector.snapshot().guest(Uuid::from_u128(1)).unwrap().run()
        };
        collector.domain(domain(Some(1), State::Running), now);
        let first = run(&mut collector);
        collector.reverted(Uuid::from_u128(1));
        collector.reverted(Uuid::from_u128(2));
        let second = run(&mut collector);
        assert_ne!(first, second);
        collector.clear(now);
        collector.domain(domain(Some(1), State::Running), now);
        assert_eq!(run(&mut collector), second);
        collector.domain(domain(Some(2), State::Running), now);
        assert_ne!(run(&mut collector), first);
    }

    #[test]
    fn a_domain_that_does_not_come_back_is_forgotten() {
        let (mut collector, now) = (Collector::default(), Instant::now());
        collector.domain(domain(Some(1), State::Running), now);
        collector.clear(now);
        let snapshot = collector.snapshot();
        assert!(snapshot.guests().next().is_none() && collector.before.is_empty());
        assert_eq!(snapshot.whose().of("qemu-a"), crate::Claim::Unnamed);
    }

    #[test]
    fn more_domains_than_libvirt_lists_are_not_held() {
        let (mut collector, now) = (Collector::default(), Instant::now());
        for number in 0..=DOMAINS_MAX {
            let uuid = Uuid::from_u128(number as u128);
            collector.domain(Domain { uuid, ..domain(None, State::Off) }, now);
        }
        assert_eq!(collector.guests.len(), DOMAINS_MAX);
    }

    #[test]
    fn domains_are_held_until_they_take_too_much_and_those_of_an_earlier_helper_give_way() {
        let (mut collector, now) = (Collector::default(), Instant::now());
        let large = |number| {
            let channel = Some("x".repeat(1 << 20));
            Domain { uuid: Uuid::from_u128(number), channel, ..domain(None, State::Off) }
        };
        let fill = |collector: &mut Collector, first| {
            (first..first + 1000)
                .take_while(|number| {
                    collector.domain(large(*number), now);
                    collector.fits()
                })
                .count()
        };
        assert_eq!(fill(&mut collector, 0), 63);
        collector.clear(now);
        assert_eq!(fill(&mut collector, 1000), 63, "the earlier ones have given way");
        for number in 1000..1064 {
            collector.gone(Uuid::from_u128(number));
        }
        assert_eq!(collector.bytes, 0);
    }

    #[test]
    fn names_count_with_what_may_be_wrong_at_each() {
        let (mut collector, now) = (Collector::default(), Instant::now());
        let names = (0..16).map(|number| format!("a{number}")).collect::<Vec<_>>();
        let held = (0..DOMAINS_MAX).take_while(|number| {
            let names = Names { vhostmd: names.clone(), others: names.clone(), ..Names::default() };
            let uuid = Uuid::from_u128(*number as u128);
            collector.domain(Domain { uuid, names, ..examples::domain(1, &"x".repeat(255)) }, now);
            collector.fits()
        });
        assert!(held.count() < DOMAINS_MAX / 4);
    }

    #[test]
    fn figures_count_as_long_as_they_are_held() {
        let (mut collector, now) = (Collector::default(), Instant::now());
        collector.domain(domain(Some(1), State::Running), now);
        let alone = collector.bytes;
        let vcpus = vec![crate::Vcpu::default(); 1_000_000];
        collector.figures(Uuid::from_u128(1), Figures { vcpus, ..Figures::default() }, now);
        assert!(!collector.fits());
        collector.figures(Uuid::from_u128(1), Figures::default(), now);
        assert_eq!(collector.bytes, alone);
    }
}
