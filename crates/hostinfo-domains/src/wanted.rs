//! What to ask the helper next.

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::limits::ASKED_MAX;
use crate::message::Ask;
use crate::tags::TagSources;

/// Everything wanted since the last request; a single request covers it all, except other tags,
/// which come first.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    look: bool,
    all: bool,
    of: BTreeSet<Uuid>,
    tags: Option<TagSources>,
}

impl Wanted {
    /// Wants a check of which domains exist.
    pub(crate) fn look(&mut self) {
        self.look = true;
    }

    /// Wants the figures of one domain, or of all.
    pub(crate) fn figures(&mut self, of: Option<Uuid>) {
        self.all |= of.is_none() || self.of.len() >= ASKED_MAX;
        self.of.extend(of.filter(|_| !self.all));
    }

    /// Wants other tags of all domains.
    pub(crate) fn tags(&mut self, sought: TagSources) {
        self.tags = Some(sought);
    }

    /// Returns the request, and clears what is wanted; `None` if nothing is.
    pub(crate) fn take(&mut self, number: u64) -> Option<Ask> {
        if let Some(sought) = self.tags.take() {
            return Some(Ask::Tags { number, sought });
        }
        let Self { look, all, of, tags: _ } = std::mem::take(self);
        if all {
            Some(Ask::Figures { number, of: Vec::new() })
        } else if !of.is_empty() {
            Some(Ask::Figures { number, of: of.into_iter().collect() })
        } else {
            look.then_some(Ask::Look { number })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::LINE_MAX;
    use crate::to_line;

    #[test]
    fn other_tags_come_first_and_nothing_else_is_forgotten() {
        let mut wanted = Wanted::default();
        wanted.look();
        wanted.tags(TagSources { own: false, sources: Vec::new() });
        wanted.tags(TagSources::default());
        assert_eq!(wanted.take(1), Some(Ask::Tags { number: 1, sought: TagSources::default() }));
        assert_eq!(wanted.take(2), Some(Ask::Look { number: 2 }));
    }

    #[test]
    fn each_domain_is_asked_for_once_and_all_of_them_where_they_are_many() {
        let mut wanted = Wanted::default();
        assert_eq!(wanted.take(1), None);
        wanted.look();
        assert_eq!(wanted.take(2), Some(Ask::Look { number: 2 }));
        let uuid = |number: usize| Uuid::from_u128(number as u128);
        for number in (0..ASKED_MAX).rev().chain([0]).take(ASKED_MAX) {
            wanted.figures(Some(uuid(number)));
        }
        let ask = wanted.take(u64::MAX).unwrap();
        assert!(to_line(&ask).unwrap().len() < LINE_MAX / 64);
        let of = (0..ASKED_MAX).map(uuid).collect();
        assert_eq!(ask, Ask::Figures { number: u64::MAX, of });
        for number in 0..1000 {
            wanted.figures(Some(uuid(number)));
        }
        assert!(wanted.of.len() <= ASKED_MAX);
        assert_eq!(wanted.take(4), Some(Ask::Figures { number: 4, of: Vec::new() }));
    }
}
