//! The rules of a file, and the guest's own among them.

use std::sync::Arc;

use crate::decide::Grant;
use crate::tags::{Held, Tags};
use crate::unreachable::Reach;

/// The rules of a file in their order. Cheap to clone, and made once for a change of the file.
#[derive(Debug, Clone)]
pub struct Rules {
    rules: Arc<[Rule]>,
    builtin: Arc<Grant>,
}

/// A header, and what the guests get for which it is the first to hold.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) reach: Reach,
    pub(crate) grant: Arc<Grant>,
}

/// What becomes of a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It gets that.
    Granted(Arc<Grant>),
    /// It hangs on a tag that cannot be read now whether it gets that. It gets nothing by a later
    /// rule: keep what it had by the tags that were read last, or let it wait.
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

    /// Whether there is no rule at all.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// How many rules there are.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// What a guest gets that has no tags, as where libvirt is not asked: see
    /// [`Rules::decide_tagged`].
    pub fn decide(&self, guest: &str) -> Arc<Grant> {
        match self.decide_tagged(guest, &Tags::NONE) {
            Decision::Granted(grant) => grant,
            // No tag of a guest without tags can be unreadable.
            Decision::Unreadable(_) => Arc::clone(&self.builtin),
        }
    }

    /// What a guest gets: by the first rule whose pattern matches its name and whose conditions its
    /// tags meet, else the built-in default. `guest` is the whole name of its socket, `$driver-$name`.
    ///
    /// Looks at one rule after the other: keep the answer until the guest, its tags or the file
    /// changes.
    pub fn decide_tagged(&self, guest: &str, tags: &Tags) -> Decision {
        for rule in self.rules.iter().filter(|rule| rule.reach.pattern.matches(guest)) {
            match Held::all(&rule.reach.conditions, tags) {
                Held::Yes => return Decision::Granted(Arc::clone(&rule.grant)),
                Held::No => {}
                Held::Unknown => return Decision::Unreadable(Arc::clone(&rule.grant)),
            }
        }
        Decision::Granted(Arc::clone(&self.builtin))
    }

    /// Whether any rule looks at tags.
    pub fn have_conditions(&self) -> bool {
        self.rules.iter().any(|rule| !rule.reach.conditions.is_empty())
    }

    /// The guests that patterns without wildcards name, in the order of the file. A rule for one
    /// of them need not be the one that decides: ask [`Rules::decide`].
    pub fn named_guests(&self) -> impl Iterator<Item = String> {
        self.rules.iter().filter_map(|rule| rule.reach.pattern.literal())
    }
}
