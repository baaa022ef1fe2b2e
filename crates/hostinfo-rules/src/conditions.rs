//! Conditions on tags outside of a file, such as those on a command line.

use crate::glob::{BadPattern, parse_value_alone};
use crate::problem::{Text, quote};
use crate::tags::{CONDITIONS_MAX, Condition, KEY_MAX, Met, Tags, is_key};

/// Conditions on a guest's tags, all of which must be met, as behind the pattern of a header.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conditions {
    all: Vec<Condition>,
}

/// Why something is not a condition, or cannot be one more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadCondition {
    /// The key: its form, it has a condition already, or there are as many as a header can have.
    #[error("{0}")]
    Key(String),
    /// The text after the `=`.
    #[error("the value of tag {}: {why}", quote(.key))]
    Value {
        /// The tag.
        key: String,
        /// What is wrong.
        why: BadPattern,
    },
}

impl Conditions {
    /// Adds that the guest must have the tag `key`, and that the pattern `value` must match the
    /// whole of the tag's value. As for [`Pattern`](crate::Pattern)s, quotes are not needed, except
    /// that the empty value is `""`, as in a header.
    ///
    /// # Errors
    /// [`BadCondition`].
    pub fn add(&mut self, key: &str, value: &str) -> Result<(), BadCondition> {
        if let Some(Text { message, hint }) = bad_key(key, &self.all) {
            return Err(BadCondition::Key(format!("{message}; {hint}")));
        }
        let value = parse_value_alone(value)
            .map_err(|why| BadCondition::Value { key: key.to_owned(), why })?;
        self.all.push(Condition { key: key.into(), value });
        Ok(())
    }

    /// The keys of the tags on which there are conditions, in the order in which they were added.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.all.iter().map(|condition| &*condition.key)
    }

    /// Whether there are none, which every guest meets.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether a guest with these tags meets them all.
    pub fn met_by(&self, tags: &Tags) -> Met {
        Met::all(&self.all, tags)
    }
}

/// What is wrong with a condition on the tag `key`, in addition to `others`.
pub(crate) fn bad_key(key: &str, others: &[Condition]) -> Option<Text> {
    if others.len() == CONDITIONS_MAX {
        let message = format!("more than {CONDITIONS_MAX} conditions on tags");
        return Some(Text::new(message, "expected fewer"));
    }
    if !is_key(key) {
        let expected = format!(
            "expected letters, digits, `_` and `-`, joined by dots, {KEY_MAX} characters at the most"
        );
        return Some(Text::new(format!("invalid tag key {}", quote(key)), expected));
    }
    others
        .iter()
        .any(|other| *other.key == *key)
        .then(|| Text::new(format!("tag {} given twice", quote(key)), "expected each tag once"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn conditions(all: &[(&str, &str)]) -> Result<Conditions, BadCondition> {
        let mut conditions = Conditions::default();
        all.iter().try_for_each(|(key, value)| conditions.add(key, value))?;
        Ok(conditions)
    }

    fn tags(tags: &[(&str, Option<&str>)]) -> Tags {
        tags.iter().map(|(key, value)| ((*key).to_owned(), value.map(str::to_owned))).collect()
    }

    #[test]
    fn a_guest_meets_the_conditions_of_a_command_line_if_its_tags_match_all_of_them() {
        let both = conditions(&[("project", "acme"), ("title", "Web 1*")]).unwrap();
        assert_eq!(both.keys().collect::<Vec<_>>(), ["project", "title"]);
        let met = |of: &[_]| both.met_by(&tags(of));
        assert_eq!(met(&[("project", Some("acme")), ("title", Some("Web 12"))]), Met::Yes);
        assert_eq!(met(&[("project", Some("acme"))]), Met::No);
        assert_eq!(met(&[("project", Some("acme")), ("title", None)]), Met::Unknown);
        assert_eq!(Conditions::default().met_by(&Tags::Unreadable), Met::Yes);
        let empty = conditions(&[("role", "\"\"")]).unwrap();
        assert_eq!(empty.met_by(&tags(&[("role", Some(""))])), Met::Yes);
        assert_eq!(empty.met_by(&tags(&[("role", Some("db"))])), Met::No);
    }

    #[test]
    fn a_bad_condition_is_an_error_that_says_why() {
        let many: Vec<String> = (0..=CONDITIONS_MAX).map(|number| format!("t{number}")).collect();
        let many: Vec<_> = many.iter().map(|key| (&**key, "x")).collect();
        for (all, words) in [
            (&[("a b", "x")][..], "invalid tag key `a b`"),
            (&[("a", "x"), ("a", "y")], "tag `a` given twice"),
            (&[("a", "[x")], "the value of tag `a`: pattern `[x`: set without an end"),
            (&[("a", "")], "missing value; expected a pattern of the tag's value"),
            (&many, "more than 16 conditions"),
        ] {
            let error = conditions(all).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_texts_are_a_condition_or_an_error(
            key in "[a-zA-Z0-9._-]{0,6}|\\PC{0,8}", value in "[a-z*?!\"\\[\\]\\\\]{0,6}|\\PC{0,8}",
        ) {
            let mut conditions = Conditions::default();
            let is_one = conditions.add(&key, &value).is_ok();
            prop_assert_eq!(is_one, !conditions.is_empty());
        }
    }
}
