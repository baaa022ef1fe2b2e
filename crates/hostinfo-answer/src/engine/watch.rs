//! Samples of guests that are watched.

use std::time::Instant;

use jiff::Timestamp;

use super::Engine;
use crate::libvirt::Libvirt;
use crate::observed::Observed;
use crate::pending::Pending;
use crate::requester::Requester;
use crate::sources::Sources;

impl<L: Libvirt> Engine<L> {
    /// Takes the sample that a guest's watch is due for, and judges it.
    ///
    /// # Errors
    /// Some of it still has to be read, after others have had their turns.
    pub fn watch(
        &mut self,
        who: &Requester,
        observed: &mut Observed,
        now: Instant,
    ) -> Result<(), Pending> {
        let mut sources = Sources::new(&mut self.backend, who, observed, now.into());
        sources.read_threads()?;
        let sample = sources.sample();
        let Some(watch) = &mut observed.watch else { return Ok(()) };
        watch.push(now, sample);
        if let (Some(period), Some(key)) = (watch.period(), who.key()) {
            observed.incidents.of_mut(key).judge(&period, Timestamp::now());
        }
        Ok(())
    }
}
