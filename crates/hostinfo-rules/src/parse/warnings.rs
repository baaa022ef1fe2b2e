//! The words of warnings about rules that are valid and may not be intended.

use super::Draft;
use crate::problem::{Text, quote};
use crate::unreachable::Never;

/// The most earlier rules that a warning lists.
const NAMED_MAX: usize = 4;

/// The warning about a rule that turns on `first`, and so many others, for guests that select
/// themselves.
pub(super) fn opens_too_much(first: &str, others: usize) -> Text {
    let others = if others == 0 { String::new() } else { format!(" and {others} more") };
    Text::new(
        format!(
            "this rule turns on {}{others}, off by default, for guests selected only by tags that \
             whoever can change a domain's metadata can set",
            quote(first)
        ),
        "expected another condition as well, or `[tags] own = false` in hostinfod.toml",
    )
}

/// The warning about a rule that can never match.
pub(super) fn never_matches(never: &Never, rules: &[Draft<'_>]) -> Text {
    match never {
        Never::NoName => Text::new(
            "this rule can never match: no guest has such a name",
            "expected DRIVER-NAME, as in `qemu-myguest`, without `/` and control characters",
        ),
        Never::After(earlier) => {
            let mut first: Vec<String> = earlier
                .iter()
                .take(NAMED_MAX)
                .filter_map(|at| rules.get(*at))
                .map(|rule| format!("{} in line {}", quote(rule.written.text), rule.line.number))
                .collect();
            if earlier.len() > NAMED_MAX {
                first.push(format!("{} more", earlier.len() - NAMED_MAX));
            }
            let comes = if earlier.len() == 1 { "comes" } else { "come" };
            Text::new(
                format!("this rule can never match: {} {comes} first", first.join(" and ")),
                "move it up: the first rule that matches a guest decides",
            )
        }
    }
}
