//! `list`: every guest, what it has, whether it can ask, and which rule applies to it.

mod tables;

use hostinfo_rules::{Conditions, Met};
use hostinfo_wire::text::escaped;
use jiff::Timestamp;
use serde_json::json;

use crate::args::{List, Options};
use crate::daemon::{self, Known};
use crate::exit::{DONE, Failure, REFUSED, Status, complain, sum};
use crate::output::{write, write_coloured, write_json};
use crate::present::Present;
use crate::row::{Has, Row};
use crate::rules::RulesOf;
use crate::state::State;
use crate::uri::is_remote;
use tables::{narrow, wide};

/// Lists the guests that the words match and the filters let through; without words, all.
///
/// # Errors
/// [`Failure::Usage`], [`Failure::Output`].
pub(crate) fn run(options: &Options, wanted: &List) -> Result<Status, Failure> {
    let conditions = conditions(&wanted.tag)?;
    let known = daemon::known(options);
    let present = Present::find(options, &wanted.guests, known.as_ref());
    let mut statuses = present.complain();
    let is_complete = present.is_complete() && statuses.is_empty();
    let mut rows = present.rows;
    if let Err(failure) = complete(&mut rows, options, known.as_ref()) {
        complain(&failure);
        statuses.push(failure.status());
    }
    let states = &wanted.state;
    rows.retain(|row| states.is_empty() || states.iter().any(|state| is_in(row, *state)));
    rows.retain(|row| match conditions.met_by(&row.tags) {
        Met::Yes => true,
        Met::No => false,
        Met::Unknown => {
            let guest = escaped(&row.guest);
            complain(format!("{guest}: left out, since its tags cannot be read"));
            statuses.push(REFUSED);
            false
        }
    });
    if options.json {
        write_json(&json!({ "guests": rows }))?;
    } else if !rows.is_empty() {
        let now = Timestamp::now();
        write_coloured(&if wanted.wide { wide(&rows, now) } else { narrow(&rows, now) })?;
    } else if is_complete {
        let is_filtered = !states.is_empty() || !conditions.is_empty();
        write(if is_filtered { "No guest matches.\n" } else { "There are no guests.\n" })?;
    }
    Ok(sum(statuses.into_iter().chain([DONE])))
}

/// A guest that is connected may have its port only until it ends.
fn is_in(row: &Row, state: State) -> bool {
    let ends = matches!((&row.saved, &row.running), (Some(Has::No | Has::Off), Some(Has::Yes(_))));
    row.state == state || state == State::UntilItEnds && ends
}

fn conditions(words: &[String]) -> Result<Conditions, Failure> {
    let mut conditions = Conditions::default();
    for word in words {
        let Some((key, value)) = word.split_once('=') else {
            return Err(Failure::Usage(format!("--tag {word:?} is not KEY=VALUE")));
        };
        conditions.add(key, value).map_err(|error| Failure::Usage(error.to_string()))?;
    }
    Ok(conditions)
}

/// Adds what the rules and the daemon say.
///
/// # Errors
/// The rules file cannot be read, or has errors: then their decisions are missing.
pub(crate) fn complete(
    rows: &mut [Row],
    options: &Options,
    known: Option<&Known>,
) -> Result<(), Failure> {
    if is_remote(&options.connect) {
        return Ok(());
    }
    let rules = RulesOf::in_force(options, known);
    if let Ok(rules) = &rules {
        rows.iter_mut().for_each(|row| row.add_rule(rules));
    }
    if let Some(Known { guests, rules, .. }) = known {
        for row in rows {
            if let Some(guest) = guests.get(&row.guest) {
                row.add_daemons(guest, &rules.state.path);
            }
        }
    }
    rules.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port_summary::PortLocation;
    use hostinfo_domains::Target;

    #[test]
    fn a_guest_that_was_disabled_while_it_runs_is_found_as_connected_and_as_until_it_ends() {
        let running = Some(Has::Yes(PortLocation::of(&Target::Serial(1))));
        let state = State::Connected;
        let mut row = Row { saved: Some(Has::No), running, state, ..Row::of_socket("qemu", "a") };
        assert!(is_in(&row, State::Connected) && is_in(&row, State::UntilItEnds));
        assert!(!is_in(&row, State::Disabled));
        row.saved = Some(Has::Yes(PortLocation::of(&Target::Serial(1))));
        assert!(!is_in(&row, State::UntilItEnds));
    }

    #[test]
    fn a_condition_on_tags_needs_a_value() {
        assert!(conditions(&["role".to_owned()]).is_err());
        assert!(!conditions(&["role=d*".to_owned()]).unwrap().is_empty());
    }
}
