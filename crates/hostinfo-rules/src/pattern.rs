//! Patterns, and which names they match.

use std::str::Chars;

/// A pattern for guests' names: `$driver-$name`, with wildcards. `docs/rules.md` has its grammar.
/// The empty pattern matches only the empty text. It can be written only as a tag's value, `KEY=""`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Pattern {
    parts: Vec<Part>,
}

/// A part of a pattern.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Part {
    /// Itself.
    Char(char),
    /// Any one character: `?`.
    Any,
    /// One character in the ranges, or not in them: `[a-z]`, `[!a-z]`.
    Set { negated: bool, ranges: Vec<(char, char)> },
    /// Any number of characters: `*`.
    Star,
}

impl Part {
    /// Whether the part matches `c`.
    pub(crate) fn takes(&self, c: char) -> bool {
        match self {
            Self::Char(own) => *own == c,
            Self::Any | Self::Star => true,
            Self::Set { negated, ranges } => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *negated
            }
        }
    }
}

impl FromIterator<Part> for Pattern {
    fn from_iter<T: IntoIterator<Item = Part>>(from: T) -> Self {
        let mut parts: Vec<Part> = Vec::new();
        for part in from {
            // Two stars in a row are equivalent to one.
            if part != Part::Star || parts.last() != Some(&Part::Star) {
                parts.push(part);
            }
        }
        Self { parts }
    }
}

impl Pattern {
    /// The parts. There are never two [`Part::Star`] in a row.
    pub(crate) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Whether the pattern matches the whole of `name`. The time is bounded by the product of their
    /// lengths.
    pub fn matches(&self, name: &str) -> bool {
        let (mut at, mut rest) = (0, name.chars());
        // After the last star: the next part, and the rest of the name. Earlier stars need not be
        // tried again: the last one takes whatever they could.
        let mut retry: Option<(usize, Chars<'_>)> = None;
        loop {
            let part = self.parts.get(at);
            if part == Some(&Part::Star) {
                at += 1;
                retry = Some((at, rest.clone()));
                continue;
            }
            match (part, rest.next()) {
                (None, None) => return true,
                (Some(_), None) => return false,
                (Some(part), Some(c)) if part.takes(c) => at += 1,
                (_, Some(_)) => {
                    let Some((behind, left)) = &mut retry else { return false };
                    left.next();
                    (at, rest) = (*behind, left.clone());
                }
            }
        }
    }

    /// Whether it matches every text.
    pub(crate) fn is_any(&self) -> bool {
        self.parts == [Part::Star]
    }

    /// The only name that a pattern without wildcards matches.
    pub(crate) fn literal(&self) -> Option<String> {
        self.parts
            .iter()
            .map(|part| if let Part::Char(c) = part { Some(*c) } else { None })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::glob::pattern;
    use proptest::prelude::*;

    /// A slow matcher that is obviously correct.
    fn matches_slowly(parts: &[Part], name: &[char]) -> bool {
        match (parts, name) {
            ([], []) => true,
            ([Part::Star, rest @ ..], _) => {
                (0..=name.len()).any(|taken| matches_slowly(rest, &name[taken..]))
            }
            ([part, parts @ ..], [c, name @ ..]) => part.takes(*c) && matches_slowly(parts, name),
            _ => false,
        }
    }

    #[test]
    fn a_pattern_matches_the_whole_name_with_case() {
        assert!(pattern("qemu-a").matches("qemu-a"));
        for name in ["qemu-A", "Qemu-a", "qemu-ab", "xqemu-a", "qemu-", ""] {
            assert!(!pattern("qemu-a").matches(name), "{name}");
        }
    }

    #[test]
    fn a_star_is_any_run_also_none_and_a_question_mark_any_one() {
        for (glob, yes, no) in [
            ("*", &["", "a", "qemu-ü"][..], &[][..]),
            ("qemu-*", &["qemu-", "qemu-a"], &["qemu", "xen-a"]),
            ("*-web*1", &["qemu-web1", "qemu-web-11"], &["qemu-web", "web1"]),
            ("qemu-?", &["qemu-a", "qemu-ü"], &["qemu-", "qemu-ab"]),
            ("*ab*ab", &["abab", "xabyabab"], &["ab", "abx"]),
        ] {
            yes.iter().for_each(|name| assert!(pattern(glob).matches(name), "{glob} {name}"));
            no.iter().for_each(|name| assert!(!pattern(glob).matches(name), "{glob} {name}"));
        }
    }

    #[test]
    fn many_stars_do_not_keep_a_match_from_ending() {
        let glob = format!("{}b", "a*".repeat(2_000));
        let name = "a".repeat(20_000);
        // A matcher that goes back to every star would not end.
        assert!(!pattern(&glob).matches(&name));
    }

    #[test]
    fn a_pattern_without_wildcards_has_one_name() {
        assert_eq!(pattern(r"qemu-\*[a]").literal().as_deref(), Some("qemu-*a"));
        for glob in ["*", "qemu-?", "qemu-[ab]", "qemu-[!a]"] {
            assert_eq!(pattern(glob).literal(), None, "{glob}");
        }
    }

    proptest! {
        #[test]
        fn matching_is_what_the_plain_matcher_says(
            glob in "([abü*?]|\\[!?[a-c]-?c\\]){1,8}", name in "[abcü]{0,8}",
        ) {
            let pattern = pattern(&glob);
            let chars: Vec<char> = name.chars().collect();
            prop_assert_eq!(pattern.matches(&name), matches_slowly(pattern.parts(), &chars));
        }
    }
}
