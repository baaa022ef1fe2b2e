//! Whether a pattern can match any name that other patterns do not.
//!
//! A pattern is an automaton with a place for each part and a step for each character. All patterns
//! are walked through side by side, over every character that makes a difference, in search of a
//! name that the one matches and the others do not.

use std::collections::HashSet;
use std::sync::LazyLock;

use crate::pattern::{Part, Pattern};

/// All possible guest names, `$driver-$name`: the first `-` separates the two parts, and neither is
/// empty. There are no control characters and no `/`: see [`is_in_names`].
static NAMES: LazyLock<Pattern> = LazyLock::new(|| {
    let no_hyphen = Part::Set { negated: true, ranges: vec![('-', '-')] };
    [no_hyphen, Part::Star, Part::Char('-'), Part::Any, Part::Star].into_iter().collect()
});

fn is_in_names(c: char) -> bool {
    !c.is_control() && c != '/'
}

/// Ends of the ranges in which [`NAMES`] and [`is_in_names`] treat every character alike, and a
/// character that hardly any pattern names.
const LETTERS: [char; 8] = [' ', '-', '.', '/', '0', '\u{7f}', '\u{a0}', char::MAX];

/// Whether every guest name that `pattern` matches is also matched by one of `others`.
///
/// Each step reduces `work`. `None` if `work` runs out: the number of steps can grow exponentially
/// in the length of contrived patterns.
pub(crate) fn is_covered(pattern: &Pattern, others: &[&Pattern], work: &mut usize) -> Option<bool> {
    let search = Search { names: &[&NAMES], own: &[pattern], others };
    let start = Node { names: start(search.names), own: start(search.own), others: start(others) };
    let mut seen = HashSet::from([start.clone()]);
    let mut path = vec![(search.letters(&start), start)];
    while let Some((letters, node)) = path.last_mut() {
        let Some(letter) = letters.pop() else {
            path.pop();
            continue;
        };
        *work = work.checked_sub(1 + node.own.len() + node.others.len())?;
        let next = search.step(node, letter);
        if next.names.is_empty() || next.own.is_empty() || match_all(others, &next.others) {
            continue;
        }
        if match_here(search.names, &next.names)
            && match_here(search.own, &next.own)
            && !match_here(others, &next.others)
        {
            return Some(false);
        }
        if seen.insert(next.clone()) {
            path.push((search.letters(&next), next));
        }
    }
    Some(true)
}

struct Search<'p> {
    names: &'p [&'p Pattern],
    own: &'p [&'p Pattern],
    others: &'p [&'p Pattern],
}

/// The places that all patterns can be in after some characters.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Node {
    names: Places,
    own: Places,
    others: Places,
}

/// Places in a list of patterns, in order: which pattern, and which of its parts is next.
type Places = Vec<(usize, usize)>;

impl Search<'_> {
    fn step(&self, node: &Node, c: char) -> Node {
        Node {
            names: step(self.names, &node.names, c),
            own: step(self.own, &node.own, c),
            others: step(self.others, &node.others, c),
        }
    }

    /// One character for each range in which the next step treats every character alike, that of
    /// the last range last: a character that fits no literal leads out of the other patterns
    /// soonest.
    fn letters(&self, node: &Node) -> Vec<char> {
        let mut letters = LETTERS.to_vec();
        let mut edges = |low: char, high: char| {
            letters.push(low);
            letters.extend((high..=char::MAX).nth(1));
        };
        for (patterns, places) in [(self.own, &node.own), (self.others, &node.others)] {
            for part in places.iter().filter_map(|place| part(patterns, *place)) {
                match part {
                    Part::Char(c) => edges(*c, *c),
                    Part::Set { ranges, .. } => ranges.iter().for_each(|(l, h)| edges(*l, *h)),
                    Part::Any | Part::Star => {}
                }
            }
        }
        letters.retain(|c| is_in_names(*c));
        letters.sort_unstable();
        letters.dedup();
        letters
    }
}

fn part<'p>(patterns: &[&'p Pattern], (which, at): (usize, usize)) -> Option<&'p Part> {
    patterns.get(which)?.parts().get(at)
}

fn start(patterns: &[&Pattern]) -> Places {
    let mut places = Vec::new();
    (0..patterns.len()).for_each(|which| enter(patterns, &mut places, (which, 0)));
    places
}

fn step(patterns: &[&Pattern], places: &Places, c: char) -> Places {
    let mut next = Vec::new();
    for &(which, at) in places {
        match part(patterns, (which, at)) {
            Some(Part::Star) => enter(patterns, &mut next, (which, at)),
            Some(part) if part.takes(c) => enter(patterns, &mut next, (which, at + 1)),
            _ => {}
        }
    }
    next
}

/// Adds a place. At a star, the part after it may be next too, and every earlier place of the
/// pattern is dropped: whatever would match from there also matches from the star.
fn enter(patterns: &[&Pattern], places: &mut Places, (which, at): (usize, usize)) {
    let star = part(patterns, (which, at)) == Some(&Part::Star);
    while star && places.last().is_some_and(|(other, _)| *other == which) {
        places.pop();
    }
    places.push((which, at));
    if star {
        places.push((which, at + 1));
    }
}

/// Whether one of the patterns matches the characters so far.
fn match_here(patterns: &[&Pattern], places: &Places) -> bool {
    places.iter().any(|&(which, at)| patterns.get(which).is_some_and(|p| p.parts().len() == at))
}

/// Whether one of the patterns matches the characters so far and anything that may follow.
fn match_all(patterns: &[&Pattern], places: &Places) -> bool {
    places.iter().any(|&(which, at)| {
        patterns.get(which).is_some_and(|p| p.parts().get(at..) == Some(&[Part::Star]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::glob::pattern;
    use proptest::prelude::*;

    fn covered(one: &str, others: &[&str]) -> bool {
        let others: Vec<Pattern> = others.iter().map(|glob| pattern(glob)).collect();
        let others: Vec<&Pattern> = others.iter().collect();
        is_covered(&pattern(one), &others, &mut 1_000_000).unwrap()
    }

    #[test]
    fn a_wider_pattern_covers_a_narrower_one_and_not_the_other_way() {
        for (narrow, wide) in [
            ("qemu-a", "qemu-*"),
            ("qemu-a", "qemu-?"),
            ("qemu-??*", "qemu-*"),
            ("qemu-web1", "*-web[0-9]"),
            ("qemu-[b-d]", "qemu-[a-z]"),
            ("qemu-[!a-z]", "qemu-[!b]"),
            ("qemu-ab*ab", "qemu-*ab"),
            ("qemu-*a?b", "qemu-*b"),
            ("qemu-a*b*c", "*a*c"),
            ("qemu-*", "*"),
            (r"qemu-\*", "qemu-*"),
        ] {
            assert!(covered(narrow, &[wide]), "{narrow} in {wide}");
            assert!(!covered(wide, &[narrow]), "{wide} not in {narrow}");
        }
    }

    #[test]
    fn patterns_that_only_overlap_do_not_cover_each_other() {
        for (one, other) in
            [("qemu-a*", "*b"), ("qemu-[a-m]", "qemu-[f-z]"), ("qemu-??", "qemu-a*")]
        {
            assert!(!covered(one, &[other]) && !covered(other, &[one]), "{one} {other}");
        }
    }

    #[test]
    fn several_patterns_may_cover_one_together() {
        assert!(covered("qemu-[a-z]", &["qemu-[a-m]", "qemu-[n-z]"]));
        assert!(!covered("qemu-[a-z]", &["qemu-[a-m]", "qemu-[o-z]"]));
        assert!(covered("qemu-*", &["qemu-?", "qemu-??*"]));
        assert!(covered("*", &["qemu-*", "[!q]*", "q[!e]*", "qe[!m]*", "qem[!u]*", "qemu[!-]*"]));
    }

    #[test]
    fn only_what_can_be_a_guests_name_counts() {
        assert!(covered("*", &["*-*"]), "every name has a hyphen");
        assert!(covered("qemu-*", &["qemu-?*"]), "and something behind it");
        assert!(covered("*-*", &["?*-?*"]));
        assert!(covered("qemu-a?b", &["qemu-a[!/]b"]));
        for glob in ["qemu", "-a", "qemu-", "*/*", "qemu-\t", "[\u{1}-\u{1f}]-*"] {
            assert!(covered(glob, &[]), "{glob} matches nothing");
        }
        for glob in ["a-b", "*", "?*", "a--", "*-?", "[!a]*"] {
            assert!(!covered(glob, &[]), "{glob} matches something");
        }
    }

    #[test]
    fn no_answer_is_given_when_the_permitted_work_does_not_suffice() {
        let hard = pattern(&format!("q-*[ab]{}", "?".repeat(40)));
        let harder = pattern(&format!("q-*[bc]{}", "?".repeat(40)));
        let mut work = 10_000;
        let all = pattern("q-*[abc]*");
        assert_eq!(is_covered(&all, &[&hard, &harder], &mut work), Some(false));
        let narrow = pattern(&format!("q-*[ab]{}", "[ab]".repeat(40)));
        assert_eq!(is_covered(&narrow, &[&hard], &mut 10_000), None);
    }

    proptest! {
        #[test]
        fn the_answer_is_that_of_trying_all_short_names(
            one in "a-([ab*?]|\\[!?ab?\\]){1,4}",
            others in proptest::collection::vec("[a*?]-?([ab*?]|\\[!?ab?\\]){1,4}", 0..4),
        ) {
            let own = pattern(&one);
            let others: Vec<Pattern> = others.iter().map(|glob| pattern(glob)).collect();
            let mut names = vec!["a-".to_owned()];
            let mut all_covered = true;
            for _ in 0..7 {
                let longer = |name: &String| ["a", "b", "c"].map(|c| format!("{name}{c}"));
                names = names.iter().flat_map(longer).collect();
                all_covered &= names.iter().all(|name| {
                    !own.matches(name) || others.iter().any(|other| other.matches(name))
                });
            }
            let others: Vec<&Pattern> = others.iter().collect();
            prop_assert_eq!(is_covered(&own, &others, &mut 1_000_000), Some(all_covered));
        }
    }
}
