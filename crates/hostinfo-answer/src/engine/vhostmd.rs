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
use crate::vhostmd::document;

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
        if who.wait(when.now).is_zero() {
            let (document, cost) = self.with_cost(who, observed, when)?;
            who.allowance.spend(cost, when.now);
            who.document = Some(document.into());
        }
        reply.raw(who.document.as_deref().unwrap_or(EMPTY).as_bytes());
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
        self.with_cost(who, observed, when).map(|(document, _)| document)
    }

    fn with_cost(
        &mut self,
        who: &Requester,
        observed: &mut Observed,
        when: When,
    ) -> Result<(String, Cost), Pending> {
        if !who.may_ask() {
            return Ok((EMPTY.to_owned(), Cost::Nothing));
        }
        let mut sources = Sources::new(&mut self.backend, who, observed, when);
        let os_name = self.os_name.as_deref();
        let document = document(&who.grant, &mut sources, &mut self.common_parts, os_name)?;
        Ok((document, sources.cost()))
    }
}
