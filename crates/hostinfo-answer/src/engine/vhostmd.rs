//! Requests of vhostmd's clients: whether they get a new document, and what it costs.

use std::time::SystemTime;

use hostinfo_render::vhostmd::EMPTY;
use hostinfo_wire::Reply;

use super::Engine;
use crate::allowance::Cost;
use crate::dialect::Dialect;
use crate::libvirt::Libvirt;
use crate::observed::Observed;
use crate::pending::{Pending, When};
use crate::requester::Requester;
use crate::sources::Sources;
use crate::vhostmd::{Document, document};

impl<L: Libvirt> Engine<L> {
    /// A client that asks too soon gets its last document again, because vhostmd's clients do not
    /// know 429.
    pub(crate) fn vhostmd(
        &mut self,
        dialect: Dialect,
        who: &mut Requester,
        observed: &mut Observed,
        when: When,
        reply: &mut Reply,
    ) -> Result<(), Pending> {
        if dialect == Dialect::Hostinfo && !who.may_ask() {
            who.refuse(reply);
            return Ok(());
        }
        who.session.asked(SystemTime::now);
        if when.is_begun || who.wait(when.now).is_zero() {
            let step = self.backend.moment(when.now).slot();
            let last = who.document.as_ref().filter(|last| last.is_of(step) && who.may_ask());
            match last {
                Some(last) => self.backend.host.count_failures_again(last.faults),
                None => match self.make(who, observed, when) {
                    Ok(document) => who.document = Some(document.into()),
                    Err(pending) => {
                        who.begin(when);
                        return Err(pending);
                    }
                },
            }
            let cost = who.document.as_ref().map_or(Cost::Nothing, |document| document.cost);
            who.allowance.spend(cost, when.now);
        }
        let document = who.document.as_ref().map_or(EMPTY, |document| &document.text);
        reply.raw(document.as_bytes());
        Ok(())
    }

    /// vhostmd's current document for a guest.
    ///
    /// # Errors
    /// Some values are on their way.
    pub fn document(
        &mut self,
        who: &Requester,
        observed: &mut Observed,
        when: When,
    ) -> Result<String, Pending> {
        self.make(who, observed, when).map(|document| document.text.into())
    }

    fn make(
        &mut self,
        who: &Requester,
        observed: &mut Observed,
        when: When,
    ) -> Result<Document, Pending> {
        if !who.may_ask() {
            return Ok(Document::of(EMPTY));
        }
        let mut sources = Sources::new(&mut self.backend, who, observed, when);
        let os_name = self.os_name.as_deref();
        document(&who.grant, &mut sources, &mut self.common_parts, os_name)
    }
}
