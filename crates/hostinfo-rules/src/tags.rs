//! Tags: what is known about a guest besides its name, and the conditions of a header on them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::pattern::Pattern;

/// The most conditions of one header. Each is checked for every guest whose name matches the
/// header's pattern, whenever a guest appears or the file changes.
pub(crate) const CONDITIONS_MAX: usize = 16;

/// The longest key of a tag, in bytes: `TAG_KEY_MAX` of hostinfo-domains, which reads the tags.
pub(crate) const KEY_MAX: usize = 64;

/// A guest's tags, as far as they are readable now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tags {
    /// The tags. Empty for a guest without tags, for a guest that libvirt does not know, and for
    /// every guest of a host where libvirt is not asked.
    Known(BTreeMap<Box<str>, Tag>),
    /// It is not known whether there are any: libvirt does not answer, or the guest's XML cannot be
    /// read.
    Unreadable,
}

/// One existing tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tag {
    /// Its value.
    Value(Box<str>),
    /// It has no definite value, for example because it occurs twice.
    Unreadable,
}

impl Tags {
    /// No tags at all.
    pub const NONE: Self = Self::Known(BTreeMap::new());

    /// These tags, with what was `last` read in place of those that cannot be read now.
    #[must_use]
    pub fn or_last(self, last: &Self) -> Self {
        let (mut tags, last) = match (self, last) {
            (Self::Unreadable, last) => return last.clone(),
            (now, Self::Unreadable) => return now,
            (Self::Known(tags), Self::Known(last)) => (tags, last),
        };
        tags.retain(|key, tag| match (&*tag, last.get(key)) {
            (Tag::Unreadable, None) => false,
            (Tag::Unreadable, Some(last)) => {
                tag.clone_from(last);
                true
            }
            (Tag::Value(_), _) => true,
        });
        Self::Known(tags)
    }

    /// The tag with that key: `None` if there is none.
    fn get(&self, key: &str) -> Option<&Tag> {
        match self {
            Self::Known(tags) => tags.get(key),
            Self::Unreadable => Some(&Tag::Unreadable),
        }
    }
}

/// Tags by their keys; those without a value are there and have no definite one.
impl FromIterator<(String, Option<String>)> for Tags {
    fn from_iter<T: IntoIterator<Item = (String, Option<String>)>>(tags: T) -> Self {
        let tag =
            |value: Option<String>| value.map_or(Tag::Unreadable, |value| Tag::Value(value.into()));
        Self::Known(tags.into_iter().map(|(key, value)| (key.into(), tag(value))).collect())
    }
}

impl Default for Tags {
    fn default() -> Self {
        Self::NONE
    }
}

/// `KEY=VALUE` in a header: the guest must have that tag, and the pattern must match the whole
/// value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Condition {
    pub(crate) key: Box<str>,
    pub(crate) value: Pattern,
}

/// Whether conditions are met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Met {
    /// All are.
    Yes,
    /// At least one is not.
    No,
    /// It depends on a tag that cannot be read.
    Unknown,
}

impl Met {
    /// Whether all conditions are met. If one certainly is not, that decides, whatever the
    /// unreadable ones would say.
    pub(crate) fn all(conditions: &[Condition], tags: &Tags) -> Self {
        let mut all = Self::Yes;
        for condition in conditions {
            match tags.get(&condition.key) {
                None => return Self::No,
                Some(Tag::Value(value)) if !condition.value.matches(value) => return Self::No,
                Some(Tag::Value(_)) => {}
                Some(Tag::Unreadable) => all = Self::Unknown,
            }
        }
        all
    }
}

/// Whether a guest that meets `these` conditions certainly meets `those` as well. Value patterns
/// count as different unless they are equal or match any value. So the answer may be no when yes
/// would be right, but never the other way round.
pub(crate) fn imply(these: &[Condition], those: &[Condition]) -> bool {
    those.iter().all(|wanted| {
        these.iter().any(|given| {
            given.key == wanted.key && (wanted.value == given.value || wanted.value.is_any())
        })
    })
}

/// Whether a text can be the key of a tag: `[A-Za-z0-9_-]+`, joined by dots, at most [`KEY_MAX`]
/// bytes.
pub(crate) fn is_key(text: &str) -> bool {
    text.len() <= KEY_MAX && text.split('.').all(hostinfo_wire::name::is_segment)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::glob::pattern;

    fn condition(key: &str, value: &str) -> Condition {
        Condition { key: key.into(), value: pattern(value) }
    }

    fn tags(tags: &[(&str, Option<&str>)]) -> Tags {
        let tag = |value: &Option<&str>| value.map_or(Tag::Unreadable, |v| Tag::Value(v.into()));
        Tags::Known(tags.iter().map(|(key, value)| ((*key).into(), tag(value))).collect())
    }

    #[test]
    fn all_conditions_have_to_hold_and_an_absent_tag_holds_none() {
        let both = [condition("project", "acme"), condition("role", "db*")];
        let met = |of: &[_]| Met::all(&both, &tags(of));
        assert_eq!(met(&[("project", Some("acme")), ("role", Some("db1"))]), Met::Yes);
        assert_eq!(met(&[("project", Some("acme"))]), Met::No);
        assert_eq!(met(&[("project", Some("ACME")), ("role", Some("db1"))]), Met::No);
        assert_eq!(Met::all(&[condition("x", "*")], &Tags::NONE), Met::No);
        assert_eq!(Met::all(&[], &Tags::Unreadable), Met::Yes);
    }

    #[test]
    fn a_tag_that_cannot_be_read_leaves_open_what_no_other_settles() {
        let both = [condition("project", "acme"), condition("role", "db*")];
        let met = |of: &[_]| Met::all(&both, &tags(of));
        assert_eq!(met(&[("project", None), ("role", Some("db1"))]), Met::Unknown);
        assert_eq!(met(&[("project", None), ("role", Some("web"))]), Met::No);
        assert_eq!(met(&[("project", None)]), Met::No);
        assert_eq!(Met::all(&both, &Tags::Unreadable), Met::Unknown);
    }

    #[test]
    fn tags_that_cannot_be_read_are_as_they_were_last_read() {
        let last = tags(&[("role", Some("db")), ("project", Some("acme")), ("odd", None)]);
        assert_eq!(Tags::Unreadable.or_last(&last), last);
        let now = tags(&[("role", None), ("project", Some("b")), ("new", None), ("odd", None)]);
        let both = tags(&[("role", Some("db")), ("project", Some("b")), ("odd", None)]);
        assert_eq!(now.clone().or_last(&last), both, "a new tag was not there");
        assert_eq!(now.clone().or_last(&Tags::Unreadable), now);
        assert_eq!(Tags::NONE.or_last(&last), Tags::NONE, "it is known to have none");
    }

    #[test]
    fn conditions_imply_the_same_and_fewer_and_those_that_take_any_value() {
        let one = [condition("a", "x")];
        let both = [condition("b", "y*"), condition("a", "x")];
        assert!(imply(&both, &one) && imply(&one, &[]) && imply(&one, &[condition("a", "*")]));
        assert!(!imply(&one, &both) && !imply(&[], &one) && !imply(&one, &[condition("a", "y")]));
    }

    #[test]
    fn a_key_is_like_a_statistics_name() {
        assert!(["a", "project-name", "a.b_c", "7"].into_iter().all(is_key));
        assert!(!["", ".", "a.", "a b", "a=b", "ü", &"x".repeat(65)].into_iter().any(is_key));
    }
}
