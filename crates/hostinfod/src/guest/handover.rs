//! What another program goes on with of a guest.

use std::sync::Arc;

use hostinfo_answer::{GuestIncidents, Observed};
use hostinfo_rules::Rules;
use hostinfo_sample::{OpenFiles, Roots};

use super::{Guest, Rare};
use crate::handover::{GuestState, PortState};

impl Guest {
    /// What is kept of it, with its ports.
    pub(crate) fn hand_over(&self, ports: Vec<PortState>) -> GuestState {
        let rare = self.rare.as_deref();
        GuestState {
            who: self.who.hand_over(),
            may_be_watched: self.who.may_be_watched(),
            observed: self.observed.hand_over(),
            tags: self.tags.clone(),
            since: self.since,
            marks: self.marks.clone(),
            is_unread: self.is_unread,
            left_at: rare.and_then(|rare| rare.left_at),
            meter: self.meter,
            record: self.record.clone(),
            quotas: self.quotas.clone(),
            has_disk: self.has_disk,
            cid: self.cid(),
            by_cid: self.by_cid(),
            not_admitted: rare.map(|rare| rare.not_admitted.clone()).unwrap_or_default(),
            ports,
        }
    }

    /// Goes on as the guest that was handed over, under the rules that it had. Its process
    /// is read below `roots`, and its open files are kept among `files`. Returns its ports.
    pub(crate) fn take_over(
        &mut self,
        state: GuestState,
        rules: &Rules,
        roots: &Arc<Roots>,
        files: &OpenFiles,
    ) -> Vec<PortState> {
        self.observed = Observed::taken_over(state.observed, roots, files);
        // Whoever is to be watched for good is added to those that are.
        if let Some(watch) = &mut self.observed.watch {
            watch.set_kept(false);
        }
        self.tags = state.tags;
        let decision = rules.decide_tagged(self.who.name().whole(), &self.tags);
        self.who.apply_decision(decision, &mut self.observed);
        self.who.take_over(state.who);
        if state.may_be_watched && !self.who.may_be_watched() {
            self.observed.incidents = GuestIncidents::default();
        }
        self.since = state.since;
        self.marks = state.marks;
        self.is_unread = state.is_unread;
        self.meter = state.meter;
        self.record = state.record;
        self.quotas = state.quotas;
        self.has_disk = state.has_disk;
        let GuestState { left_at, cid, by_cid, not_admitted, .. } = state;
        let rare = Rare { left_at, cid, by_cid, not_admitted, ..Rare::default() };
        self.rare = (rare != Rare::default()).then(|| rare.into());
        if self.has_disk {
            self.go_on_with_disk();
        }
        state.ports
    }
}
