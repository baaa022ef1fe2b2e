//! The rules of a file, and which of them applies to a guest.

use std::sync::Arc;

use crate::decide::Grant;
use crate::tags::{Met, Tags};
use crate::unreachable::Reach;

/// The rules of a file in their order. Cheap to clone; created once per change of the file.
#[derive(Debug, Clone)]
pub struct Rules {
    rules: Arc<[Rule]>,
    builtin: Arc<Grant>,
}

/// A header, and the grant for the guests for which it is the first to match.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) reach: Reach,
    pub(crate) grant: Arc<Grant>,
}

/// The decision about a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It gets this grant.
    Granted(Arc<Grant>),
    /// Whether it gets this grant depends on a tag that cannot be read now. Do not apply a later
    /// rule: keep the grant it had by its last known tags, or let it wait.
    Unreadable(Arc<Grant>),
}

impl Rules {
    /// No rules: every guest gets the built-in default.
    pub fn builtin() -> Self {
        Self::new([])
    }

    pub(crate) fn new(rules: impl IntoIterator<Item = Rule>) -> Self {
        Self { rules: rules.into_iter().collect(), builtin: Arc::new(Grant::builtin()) }
    }

    /// Whether there are no rules.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// How many rules there are.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// The grant of a guest without tags, for example if libvirt is not asked: see
    /// [`Rules::decide_tagged`].
    pub fn decide(&self, guest: &str) -> Arc<Grant> {
        match self.decide_tagged(guest, &Tags::NONE) {
            Decision::Granted(grant) => grant,
            // A guest without tags has none that could be unreadable.
            Decision::Unreadable(_) => Arc::clone(&self.builtin),
        }
    }

    /// The grant of a guest: from the first rule whose pattern matches its name and whose
    /// conditions match its tags, or else the built-in default. `guest` is the whole name of its
    /// socket, `$driver-$name`.
    ///
    /// This checks one rule after the other: keep the answer until the guest, its tags or the file
    /// changes.
    pub fn decide_tagged(&self, guest: &str, tags: &Tags) -> Decision {
        for rule in self.rules.iter().filter(|rule| rule.reach.pattern.matches(guest)) {
            match Met::all(&rule.reach.conditions, tags) {
                Met::Yes => return Decision::Granted(Arc::clone(&rule.grant)),
                Met::No => {}
                Met::Unknown => return Decision::Unreadable(Arc::clone(&rule.grant)),
            }
        }
        Decision::Granted(Arc::clone(&self.builtin))
    }

    /// Whether any rule has conditions on tags.
    pub fn have_conditions(&self) -> bool {
        self.rules.iter().any(|rule| !rule.reach.conditions.is_empty())
    }

    /// The guests named by patterns without wildcards, in the order of the file. Such a rule is not
    /// necessarily the one that decides: ask [`Rules::decide`].
    pub fn named_guests(&self) -> impl Iterator<Item = String> {
        self.rules.iter().filter_map(|rule| rule.reach.pattern.literal())
    }
}
