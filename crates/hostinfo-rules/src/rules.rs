//! The rules of a file, and the guest's own among them.

use std::sync::Arc;

use crate::decide::Grant;
use crate::pattern::Pattern;

/// The rules of a file in their order. Cheap to clone, and made once for a change of the file.
#[derive(Debug, Clone)]
pub struct Rules {
    rules: Arc<[Rule]>,
    builtin: Arc<Grant>,
}

/// A pattern, and what the guests get that it is the first to match.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) pattern: Pattern,
    pub(crate) grant: Arc<Grant>,
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

    /// What a guest gets: by the first rule whose pattern matches, else the built-in default.
    /// `guest` is the whole name of its socket, `$driver-$name`.
    ///
    /// Looks at one rule after the other: keep the answer until the guest or the file changes.
    pub fn decide(&self, guest: &str) -> Arc<Grant> {
        let rule = self.rules.iter().find(|rule| rule.pattern.matches(guest));
        Arc::clone(rule.map_or(&self.builtin, |rule| &rule.grant))
    }

    /// The guests that patterns without wildcards name, in the order of the file. A rule for one
    /// of them need not be the one that decides: ask [`Rules::decide`].
    pub fn named_guests(&self) -> impl Iterator<Item = String> {
        self.rules.iter().filter_map(|rule| rule.pattern.literal())
    }
}
