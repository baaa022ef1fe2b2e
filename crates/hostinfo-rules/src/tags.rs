//! Tags: what is known of a guest beside its name, and the conditions of a header on them.

use std::collections::BTreeMap;

use crate::pattern::Pattern;

/// The most conditions of one header. Each is looked at for each guest whose name the header's
/// pattern matches, whenever a guest comes or the file changes.
pub(crate) const CONDITIONS_MAX: usize = 16;

/// The longest key of a tag, in bytes: as long as the longest name of a statistic.
pub const KEY_MAX: usize = 64;

/// A guest's tags, as far as they can be read now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tags {
    /// Those that there are. A guest without any has none; so has a guest that libvirt does not
    /// know, and every guest of a host where libvirt is not asked.
    Known(BTreeMap<Box<str>, Tag>),
    /// Nobody can say whether there are any: libvirt is silent, or the guest's XML cannot be read.
    Unreadable,
}

/// One tag that there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tag {
    /// Its value.
    Value(Box<str>),
    /// It has no value that could be told, such as where it is there twice.
    Unreadable,
}

impl Tags {
    /// No tags at all.
    pub const NONE: Self = Self::Known(BTreeMap::new());

    /// The tag of that key: `None` where there is none.
    fn get(&self, key: &str) -> Option<&Tag> {
        match self {
            Self::Known(tags) => tags.get(key),
            Self::Unreadable => Some(&Tag::Unreadable),
        }
    }
}

impl Default for Tags {
    fn default() -> Self {
        Self::NONE
    }
}

/// `KEY=VALUE` in a header: the guest has that tag, and the pattern matches the whole value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Condition {
    pub(crate) key: Box<str>,
    pub(crate) value: Pattern,
}

/// Whether conditions hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Held {
    Yes,
    No,
    /// It hangs on a tag that cannot be read.
    Unknown,
}

impl Held {
    /// Whether all of the conditions hold. One that surely does not decides, whatever the others
    /// would say if they could be read.
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

/// Whether a guest that meets `these` conditions surely meets `those` as well. Patterns of values
/// count as different unless they are the same or take any value, so the answer may be no where it
/// could be yes, and never the other way.
pub(crate) fn imply(these: &[Condition], those: &[Condition]) -> bool {
    those.iter().all(|wanted| {
        these.iter().any(|given| {
            given.key == wanted.key && (wanted.value == given.value || wanted.value.is_any())
        })
    })
}

/// Whether a text can be the key of a tag: `[A-Za-z0-9_-]+`, joined by dots, [`KEY_MAX`] bytes at
/// the most.
pub fn is_key(text: &str) -> bool {
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
        let held = |of: &[_]| Held::all(&both, &tags(of));
        assert_eq!(held(&[("project", Some("acme")), ("role", Some("db1"))]), Held::Yes);
        assert_eq!(held(&[("project", Some("acme"))]), Held::No);
        assert_eq!(held(&[("project", Some("ACME")), ("role", Some("db1"))]), Held::No);
        assert_eq!(Held::all(&[condition("x", "*")], &Tags::NONE), Held::No);
        assert_eq!(Held::all(&[], &Tags::Unreadable), Held::Yes);
    }

    #[test]
    fn a_tag_that_cannot_be_read_leaves_open_what_no_other_settles() {
        let both = [condition("project", "acme"), condition("role", "db*")];
        let held = |of: &[_]| Held::all(&both, &tags(of));
        assert_eq!(held(&[("project", None), ("role", Some("db1"))]), Held::Unknown);
        assert_eq!(held(&[("project", None), ("role", Some("web"))]), Held::No);
        assert_eq!(held(&[("project", None)]), Held::No);
        assert_eq!(Held::all(&both, &Tags::Unreadable), Held::Unknown);
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
