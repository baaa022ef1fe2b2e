//! How the guest's network did, in words.

use super::cause::Cause;
use super::way::{Use, Way};
use crate::verdict::Verdict;
use crate::words::Words;

pub(super) fn held_up(at: &Use<'_>, cause: Cause, words: Words<'_>) -> Verdict {
    let (window, name) = (words.window(), at.name(words));
    let packets = match at.drops {
        Some(drops) if at.may_be_named(words) => format!("{drops} packets"),
        _ => "packets".to_owned(),
    };
    let reason = match (cause, at.way) {
        (Cause::Limit, Way::Rx) => {
            format!(
                "{name} was at its own limit{} for what you receive in {window}",
                at.at_limit(words)
            )
        }
        (Cause::Limit, Way::Tx) => {
            format!(
                "{name} was at its own limit{} for what you send in {window}",
                at.at_limit(words)
            )
        }
        (Cause::Host, Way::Tx) => {
            format!("the host dropped {packets} that you sent over {name} in {window}")
        }
        (Cause::Host, Way::Rx) => format!(
            "the host dropped {packets} for {name} in {window}, and others at its own interfaces"
        ),
        (Cause::NotTaken, _) => format!(
            "{packets} for {name} were dropped in {window}, because they came faster than your \
             guest took them: verdict.cpu shows whether it lacked CPU time"
        ),
    };
    words.verdict(cause.state(), reason)
}

pub(super) fn host_drops(words: Words<'_>) -> String {
    format!(
        "the host dropped many packets at its own interfaces in {}; whether yours were among \
         them is unknown",
        words.window()
    )
}

pub(super) fn drops_uncounted(words: Words<'_>) -> String {
    format!(
        "this host does not count the dropped packets of all your interfaces, so it cannot tell \
         whether you lost any in {}",
        words.window()
    )
}

pub(super) fn passed(uses: &[Use<'_>], words: Words<'_>) -> String {
    let window = words.window();
    if uses.iter().all(|at| at.packets == Some(0)) {
        return format!("no packets of yours came or went in {window}");
    }
    match uses.iter().all(|at| at.drops == Some(0)) {
        true => format!("none of your packets were dropped in {window}"),
        false => format!("hardly any of your packets were dropped in {window}"),
    }
}
