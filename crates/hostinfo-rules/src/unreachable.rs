//! Finds rules that can never match, either because of earlier rules or by themselves.

use std::collections::{BTreeMap, HashMap};

use crate::cover::is_covered;
use crate::pattern::{Part, Pattern};
use crate::tags::{Condition, imply};

/// The most steps taken for one rule, and for a file. 5,000 rules of the usual form need 500,000;
/// if the steps run out, there is no warning.
const RULE_WORK_MAX: usize = 200_000;
const FILE_WORK_MAX: usize = 2_000_000;

/// How much of a pattern's beginning and end is compared before the whole pattern is.
const AFFIX_MAX: usize = 32;

/// Which guests a header covers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Reach {
    pub(crate) pattern: Pattern,
    /// Conditions on tags. All must be met.
    pub(crate) conditions: Box<[Condition]>,
}

/// Why a rule can never match.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Never {
    /// No guest can have such a name.
    NoName,
    /// Earlier rules match everything that it matches: one, or several together.
    After(Vec<usize>),
}

/// The rules that can never match, each by its index in the list.
pub(crate) fn unreachable(rules: &[Reach]) -> Vec<(usize, Never)> {
    let mut found = Vec::new();
    let mut file_work = FILE_WORK_MAX;
    let mut earlier = Earlier::default();
    for (at, rule) in rules.iter().enumerate() {
        let mut work = file_work.min(RULE_WORK_MAX);
        let given = work;
        let never = match earlier.same.get(rule) {
            Some(same) => Some(Never::After(vec![*same])),
            None => never(rule, rules, &earlier, &mut work),
        };
        file_work -= given - work;
        match never {
            Some(never) => found.push((at, never)),
            // A rule that never matches hides nothing that is not already hidden.
            None => earlier.add(at, rule),
        }
    }
    found
}

/// `None` if the rule can match, or if the work runs out before that is known.
fn never(
    Reach { pattern, conditions }: &Reach,
    rules: &[Reach],
    earlier: &Earlier<'_>,
    work: &mut usize,
) -> Option<Never> {
    let mut rules: Vec<(usize, &Pattern)> = earlier
        .like(pattern, work)?
        .into_iter()
        .filter_map(|at| Some((at, rules.get(at)?)))
        // A rule with other conditions may leave some of the guests.
        .filter(|(_, rule)| imply(conditions, &rule.conditions))
        .map(|(at, rule)| (at, &rule.pattern))
        .collect();
    if !is_covered(pattern, &only_patterns(&rules), work)? {
        return None;
    }
    if is_covered(pattern, &[], work)? {
        return Some(Never::NoName);
    }
    for (at, rule) in &rules {
        if is_covered(pattern, &[rule], work)? {
            return Some(Never::After(vec![*at]));
        }
    }
    // Drop rules that are not needed, the last first.
    for at in (0..rules.len()).rev() {
        let left_out = rules.remove(at);
        if is_covered(pattern, &only_patterns(&rules), work) != Some(true) {
            rules.insert(at, left_out);
        }
    }
    Some(Never::After(rules.into_iter().map(|(at, _)| at).collect()))
}

fn only_patterns<'p>(rules: &[(usize, &'p Pattern)]) -> Vec<&'p Pattern> {
    rules.iter().map(|(_, pattern)| *pattern).collect()
}

/// The rules so far, indexed by the beginnings of their patterns.
#[derive(Default)]
struct Earlier<'p> {
    same: HashMap<&'p Reach, usize>,
    /// Rules by the beginning of their pattern, each with the pattern's end.
    by_prefix: BTreeMap<String, Vec<(String, usize)>>,
}

impl<'p> Earlier<'p> {
    fn add(&mut self, at: usize, rule: &'p Reach) {
        self.same.insert(rule, at);
        let pattern = &rule.pattern;
        let suffix = literal(pattern.parts().iter().rev());
        self.by_prefix.entry(literal(pattern.parts().iter())).or_default().push((suffix, at));
    }

    /// The rules that may match some of what `pattern` matches, in their order. If both begin with
    /// literal characters, one beginning must continue the other; the same goes for their ends.
    fn like(&self, pattern: &Pattern, work: &mut usize) -> Option<Vec<usize>> {
        let prefix = literal(pattern.parts().iter());
        let suffix = literal(pattern.parts().iter().rev());
        let shorter = prefix.char_indices().filter_map(|(at, _)| prefix.get(..at));
        let shorter = shorter.filter_map(|prefix| self.by_prefix.get(prefix));
        let longer = self.by_prefix.range(prefix.clone()..);
        let longer = longer.take_while(|(other, _)| other.starts_with(&prefix));
        let mut like = Vec::new();
        for (other, at) in shorter.chain(longer.map(|(_, rules)| rules)).flatten() {
            *work = work.checked_sub(1)?;
            if other.starts_with(&suffix) || suffix.starts_with(other) {
                like.push(*at);
            }
        }
        like.sort_unstable();
        Some(like)
    }
}

/// The characters of the parts before the first wildcard.
fn literal<'p>(parts: impl Iterator<Item = &'p Part>) -> String {
    let char = |part: &Part| if let Part::Char(c) = part { Some(*c) } else { None };
    parts.map_while(char).take(AFFIX_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::glob::pattern;
    use rustix::time::{ClockId, Timespec, clock_gettime};

    fn reach(glob: &str, conditions: &[(&str, &str)]) -> Reach {
        let condition =
            |(key, value): &(&str, &str)| Condition { key: (*key).into(), value: pattern(value) };
        Reach { pattern: pattern(glob), conditions: conditions.iter().map(condition).collect() }
    }

    fn never(globs: &[&str]) -> Vec<(usize, Never)> {
        unreachable(&globs.iter().map(|glob| reach(glob, &[])).collect::<Vec<_>>())
    }

    fn after(at: usize, earlier: &[usize]) -> (usize, Never) {
        (at, Never::After(earlier.to_vec()))
    }

    #[test]
    fn every_rule_can_match_if_narrow_ones_come_first() {
        assert_eq!(never(&["qemu-myguest", "qemu-*", "*"]), []);
        assert_eq!(never(&["qemu-a*", "qemu-*b", "xen-a*", "*-a*"]), []);
    }

    #[test]
    fn a_rule_behind_one_that_matches_the_same_can_not() {
        assert_eq!(never(&["*", "qemu-*", "qemu-a"]), [after(1, &[0]), after(2, &[0])]);
        assert_eq!(never(&["qemu-a", "xen-*", "qemu-a"]), [after(2, &[0])]);
        assert_eq!(never(&["*-web", "qemu-*eb", "qemu-web"]), [after(2, &[0])]);
    }

    #[test]
    fn the_first_that_covers_a_rule_alone_is_named_even_if_some_cover_it_together() {
        assert_eq!(never(&["qemu-[a-m]", "qemu-[n-z]", "qemu-?", "qemu-[a-z]"]), [after(3, &[2])]);
    }

    #[test]
    fn only_the_rules_that_are_needed_to_cover_another_are_named() {
        assert_eq!(
            never(&["qemu-[a-m]*", "qemu-ab", "xen-*", "qemu-[n-z]*", "qemu-[a-z]"]),
            [after(1, &[0]), after(4, &[0, 3])]
        );
    }

    #[test]
    fn a_rule_with_conditions_hides_only_those_that_have_them_too() {
        let acme = ("project", "acme");
        let hidden = |rules: &[Reach]| unreachable(rules);
        assert_eq!(hidden(&[reach("qemu-*", &[acme]), reach("qemu-a", &[])]), []);
        assert_eq!(hidden(&[reach("*", &[acme]), reach("qemu-a", &[("project", "other")])]), []);
        let same = [reach("*", &[acme]), reach("qemu-a", &[("role", "db"), acme])];
        assert_eq!(hidden(&same), [after(1, &[0])]);
        assert_eq!(hidden(&[reach("*", &[]), reach("qemu-a", &[acme])]), [after(1, &[0])]);
        assert_eq!(hidden(&[reach("myguest", &[acme])]), [(0, Never::NoName)]);
    }

    #[test]
    fn a_pattern_that_fits_no_guests_name_can_never_match() {
        assert_eq!(never(&["myguest", "qemu-a/b"]), [(0, Never::NoName), (1, Never::NoName)]);
    }

    #[test]
    fn patterns_that_are_the_same_are_found_however_many_there_are() {
        let mut globs: Vec<String> = (0..3000).map(|n| format!("*{n}?*[ab]?")).collect();
        globs.push(globs[0].clone());
        let globs: Vec<&str> = globs.iter().map(String::as_str).collect();
        assert!(never(&globs).contains(&after(3000, &[0])));
    }

    #[test]
    fn five_thousand_rules_of_any_form_take_less_than_3_s_of_cpu_time() {
        let forms: [fn(usize) -> String; 7] = [
            |n| format!("qemu-web{n}"),
            |n| format!("qemu-team{n}-*"),
            |n| format!("*-guest{n}"),
            |n| format!("*{n}*"),
            |n| format!("qemu-*{n:04}*[ab]*?"),
            |n| format!("*[ab]{}{n}*", "?".repeat(n % 50)),
            |n| format!("q{}", "?*[!x]".repeat(n % 40)),
        ];
        for form in forms {
            let rules: Vec<Reach> = (0..5000).map(|n| reach(&form(n), &[])).collect();
            // CPU time of this thread, since others may use the machine at the same time.
            let cpu_time = || clock_gettime(ClockId::ThreadCPUTime);
            let start = cpu_time();
            unreachable(&rules);
            let took = cpu_time() - start;
            assert!(took < Timespec { tv_sec: 3, tv_nsec: 0 }, "{}: {took:?}", form(11));
        }
    }
}
