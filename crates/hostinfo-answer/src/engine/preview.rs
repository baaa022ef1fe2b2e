//! What administrators see of a guest: the reply that it would get, and its instances.

use std::collections::HashMap;
use std::time::Instant;

use hostinfo_catalog::StatId;
use hostinfo_wire::{Frame, Reply};

use super::Engine;
use crate::dialect::{Dialect, Protocol};
use crate::libvirt::Libvirt;
use crate::observed::Observed;
use crate::pending::{Pending, When};
use crate::requester::Requester;
use crate::sources::Sources;

impl<L: Libvirt> Engine<L> {
    /// Reads some of what a preview needs of a guest's VMM. Pass the original: a reading that takes several turns
    /// cannot go on in the copies that previews work on.
    ///
    /// # Errors
    /// There is more, to be read after others have had their turns.
    pub fn read_ahead(
        &mut self,
        who: &Requester,
        observed: &mut Observed,
        when: When,
    ) -> Result<(), Pending> {
        Sources::new(&mut self.backend, who, observed, when).read_threads()
    }

    /// The exact reply that a guest would get for a line if its interval let it ask now. `who` is
    /// from [`Requester::for_preview`] and `observed` is a copy, so nothing is counted against the guest.
    /// Call [`Engine::read_ahead`] first, with the original.
    ///
    /// # Errors
    /// Some values are on their way.
    pub fn preview(
        &mut self,
        mut who: Requester,
        mut observed: Observed,
        frame: &Frame<'_>,
        when: When,
    ) -> Result<Reply, Pending> {
        let (mut protocol, mut reply) = (Protocol::new(Dialect::Hostinfo), Reply::new());
        self.answer(frame, &mut protocol, &mut who, &mut observed, when, &mut reply)?;
        Ok(reply)
    }

    /// The instances of these rows that a guest has now. `observed` is a copy, as for a preview.
    pub fn instances(
        &mut self,
        who: &Requester,
        mut observed: Observed,
        stats: impl Iterator<Item = StatId>,
        now: Instant,
    ) -> HashMap<StatId, Vec<String>> {
        let mut sources = Sources::new(&mut self.backend, who, &mut observed, now.into());
        stats.map(|stat| (stat, sources.instances(stat))).collect()
    }
}
