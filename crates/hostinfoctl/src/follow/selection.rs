//! Which guests are followed: patterns of names, and conditions on tags.

use hostinfo_domains::is_key;
use hostinfo_rules::{Conditions, Met, Pattern, Tags};

use crate::exit::Failure;

/// The most patterns. Each is compared with each running guest whenever one changes: 64 patterns and
/// 16,384 guests (libvirt lists no more) at 0.3 us are 0.3 s.
const PATTERNS_MAX: usize = 64;

/// The guests that match any of the patterns, and meet all conditions.
#[derive(Debug)]
pub(crate) struct Selection {
    patterns: Vec<(String, Pattern)>,
    conditions: Conditions,
}

impl Selection {
    /// What words of a command line mean: KEY=VALUE is a condition, all else is a pattern.
    ///
    /// # Errors
    /// [`Failure::Usage`].
    pub(crate) fn of(words: &[String]) -> Result<Self, Failure> {
        let mut selection = Self { patterns: Vec::new(), conditions: Conditions::default() };
        for word in words {
            match word.split_once('=').filter(|(key, _)| is_key(key)) {
                Some((key, value)) => selection.conditions.add(key, value).map_err(usage)?,
                None => selection.patterns.push((word.clone(), word.parse().map_err(usage)?)),
            }
        }
        if selection.patterns.is_empty() {
            return Err(usage(
                "KEY=VALUE alone names no guests: give a pattern of names as well, such as '*'",
            ));
        }
        if selection.patterns.len() > PATTERNS_MAX {
            return Err(usage(format!(
                "more than {PATTERNS_MAX} patterns: use fewer with wildcards, or set a tag \
                 (hostinfoctl tag) and follow '*' KEY=VALUE"
            )));
        }
        Ok(selection)
    }

    /// The conditions.
    pub(crate) fn conditions(&self) -> &Conditions {
        &self.conditions
    }

    /// Whether a domain's name, or its whole name, is one of the words, or matches a pattern.
    pub(crate) fn names(&self, driver: &str, name: &str) -> bool {
        let is_whole = |word: &str| {
            word.strip_prefix(driver).is_some_and(|rest| rest.strip_prefix('-') == Some(name))
        };
        let mut patterns = self.patterns.iter();
        patterns.any(|(word, pattern)| word == name || is_whole(word) || pattern.matches(name))
    }

    /// Whether a guest with these tags meets the conditions.
    pub(crate) fn met_by(&self, tags: &Tags) -> Met {
        self.conditions.met_by(tags)
    }

    /// The first pattern that looks as if it was meant for whole names, as those in `hostinfo.conf`
    /// are, and the pattern that would be right.
    pub(crate) fn meant_for_whole_names(&self, driver: &str) -> Option<(&str, &str)> {
        self.patterns.iter().find_map(|(word, _)| {
            let rest = word.strip_prefix(driver)?.strip_prefix('-')?;
            rest.contains(['*', '?', '[']).then_some((&**word, rest))
        })
    }
}

fn usage(words: impl ToString) -> Failure {
    Failure::Usage(words.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn selection(words: &[&str]) -> Result<Selection, String> {
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        Selection::of(&words).map_err(|failure| failure.to_string())
    }

    #[test]
    fn any_pattern_and_all_conditions_have_to_match() {
        let selection = selection(&["web-?", "db*", "project=acme", "tier=g*"]).unwrap();
        for (name, is_named) in [("web-1", true), ("db", true), ("web-12", false), ("a", false)] {
            assert_eq!(selection.names("qemu", name), is_named, "{name}");
        }
        assert_eq!(selection.conditions().keys().collect::<Vec<_>>(), ["project", "tier"]);
        let tags = |tier: &str| {
            let tags = [("project", "acme"), ("tier", tier)];
            tags.map(|(key, value)| (key.to_owned(), Some(value.to_owned()))).into_iter().collect()
        };
        assert_eq!(selection.met_by(&tags("gold")), Met::Yes);
        assert_eq!(selection.met_by(&tags("silver")), Met::No);
    }

    #[test]
    fn a_name_that_looks_like_a_pattern_and_a_whole_name_are_names_too() {
        let selection = selection(&["web-[1]", "qemu-db", "\"a=b\"", "ü=c"]).unwrap();
        for name in ["web-[1]", "web-1", "db", "qemu-db", "a=b", "ü=c"] {
            assert!(selection.names("qemu", name), "{name}");
        }
        assert!(!selection.names("xen", "db") && selection.conditions().is_empty());
    }

    #[test]
    fn a_pattern_of_whole_names_is_noticed() {
        let found = |words| {
            selection(words)
                .unwrap()
                .meant_for_whole_names("qemu")
                .map(|(a, b)| (a.to_owned(), b.to_owned()))
        };
        assert_eq!(found(&["a*", "qemu-web*"]), Some(("qemu-web*".to_owned(), "web*".to_owned())));
        assert_eq!(found(&["qemu-web", "*", "qemu*"]), None);
    }

    #[test]
    fn a_selection_of_nobody_is_an_error_with_the_remedy() {
        let many = vec!["a"; PATTERNS_MAX + 1];
        for (words, expected) in [
            (&["project=acme"][..], "such as '*'"),
            (&[], "such as '*'"),
            (&["[a"], "set without an end"),
            (&["*", "a=b", "a=c"], "tag `a` given twice"),
            (&many, "use fewer with wildcards"),
        ] {
            let error = selection(words).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_words_are_a_selection_or_an_error(words in proptest::collection::vec(".{0,12}", 0..4), name: String) {
            if let Ok(selection) = Selection::of(&words) {
                let _ = selection.names("qemu", &name);
                let _ = selection.meant_for_whole_names("qemu");
            }
        }
    }
}
