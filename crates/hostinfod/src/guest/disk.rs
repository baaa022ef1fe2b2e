//! What is known of a guest's metrics disk: for whom the document on it was made, and when the next one is due.

use std::time::{Duration, Instant};

use hostinfo_answer::{Pending, Standing};

use super::Guest;

/// Shortest time between two documents, whatever the guest's interval.
const PERIOD_MIN: Duration = Duration::from_secs(5);

/// A guest's metrics disk.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct MetricsDisk {
    /// Values that its next document waits for.
    pub(crate) pending: Option<Pending>,
    /// When its last document was made. `None` if the next one need not wait for its time.
    made: Option<Instant>,
    /// The guest's era in which the document on it was made; `None` if it shows nothing.
    shows: Option<u32>,
    /// Whether its last document was made for a domain of libvirt's.
    is_of_domain: bool,
}

impl Guest {
    /// When its next document is due. A guest that connects again and again gets none sooner.
    pub(crate) fn disk_due(&self, now: Instant) -> Instant {
        let Some(MetricsDisk { pending, made, .. }) = self.rare.as_ref().map(|rare| &rare.disk)
        else {
            return now;
        };
        let period = self.who.grant().interval().max(PERIOD_MIN);
        let due = pending.as_ref().map(|pending| pending.until).or(made.map(|made| made + period));
        due.map_or(now, |due| due.max(now))
    }

    /// Its next document is due now.
    pub(crate) fn hurry_disk(&mut self, now: Instant) {
        if let Some(rare) = &mut self.rare {
            rare.disk.made = None;
            rare.disk.pending.iter_mut().for_each(|pending| pending.until = now);
        }
    }

    /// A document that was made for it now goes to its disk.
    pub(crate) fn note_document(&mut self, now: Instant) {
        let is_of_domain = matches!(self.who.standing(), Standing::Domain(..));
        let shows = Some(self.who.era());
        self.rare_mut().disk = MetricsDisk { pending: None, made: Some(now), shows, is_of_domain };
    }

    /// Its disk shows a document that was made for it as it is.
    pub(super) fn go_on_with_disk(&mut self) {
        self.rare_mut().disk.shows = Some(self.who.era());
    }

    /// Whether its disk shows what it must not show any more. It is to be cleared then.
    pub(crate) fn withdraw_document(&mut self) -> bool {
        let stays = self.has_disk.then(|| self.who.era());
        let Some(disk) = self.rare.as_mut().map(|rare| &mut rare.disk) else { return false };
        let is_withdrawn = disk.shows.take_if(|era| Some(*era) != stays).is_some();
        // Where a rule names a guest, its disk is written while it is off, too: it need not wait for that when it starts.
        if is_withdrawn && !disk.is_of_domain && matches!(self.who.standing(), Standing::Domain(..))
        {
            disk.made = None;
        }
        is_withdrawn
    }
}
