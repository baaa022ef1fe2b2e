//! Guests that cannot ask, and why.

use std::path::Path;

use hostinfo_control::{Guest, GuestState};

use super::finding::Finding;
use crate::args::Options;
use crate::daemon::Known;
use crate::exit::Failure;
use crate::guests::means;
use crate::held;
use crate::list::complete;
use crate::present::Present;
use crate::row::{Has, Row};
use crate::state::{State, daemon_state_words};

/// Most guests that are named, so that the rest of the output remains visible.
const NAMED_MAX: usize = 20;

/// Looks at all guests of libvirt, if it answers, and of the daemon; with words, at those that they match, and says of
/// each how it is.
pub(crate) fn look(
    options: &Options,
    words: &[String],
    known: Option<&Known>,
    has_libvirt: bool,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let is_meant = |guest: &Guest| {
        words.is_empty() || words.iter().any(|word| means(word, &guest.guest, &guest.name))
    };
    if has_libvirt {
        let present = Present::find(options, words, known);
        findings.extend(present.unknown().iter().map(|why| Finding::GuestUnknown(why.to_string())));
        let mut rows = present.rows;
        // A rules file with errors has a finding of its own.
        let _ = complete(&mut rows, options, known);
        if words.is_empty() {
            findings.extend(rows.iter().filter_map(of_row));
            let number = rows.iter().filter(|row| row.state == State::Disabled).count();
            if number > 0 {
                findings.push(Finding::GuestsWithoutPort { number });
            }
        } else {
            findings.extend(rows.iter().map(|row| of_row(row).unwrap_or_else(|| of_named(row))));
        }
    } else if let Some(known) = known {
        let meant: Vec<&Guest> = known.guests.values().filter(|guest| is_meant(guest)).collect();
        let is_named = !words.is_empty();
        findings.extend(meant.iter().filter_map(|guest| of_guest(guest, is_named)));
        let names_none =
            |word: &&String| !meant.iter().any(|guest| means(word, &guest.guest, &guest.name));
        findings.extend(words.iter().filter(names_none).map(|word| {
            let failure = Failure::NoGuest { name: word.clone(), nearest: None };
            Finding::GuestUnknown(failure.to_string())
        }));
    }
    if let Some(known) = known {
        let guests: Vec<_> =
            known.guests.values().filter(|guest| is_meant(guest)).cloned().collect();
        let directory = Path::new(&known.status.socket_dir.path);
        match held::find(directory, &guests, known.status.pid) {
            Ok(held) => findings.extend(held.into_iter().map(Finding::GuestHeld)),
            Err(error) => findings.push(Finding::GuestsUnseen(format!(
                "whether other programs hold guests' ports is not known: {error}"
            ))),
        }
    }
    if let number @ 1.. = findings.len().saturating_sub(NAMED_MAX) {
        findings.truncate(NAMED_MAX);
        findings.push(Finding::MoreGuests { number });
    }
    findings
}

/// A guest that was asked for, and with which nothing is wrong.
fn of_named(row: &Row) -> Finding {
    let (guest, name) = (row.guest.clone(), row.name.clone());
    match row.state {
        State::Disabled => Finding::GuestWithoutPort { guest, name },
        state => Finding::GuestFine { guest, state: state.words() },
    }
}

/// A guest of a host without libvirt.
fn of_guest(guest: &Guest, is_named: bool) -> Option<Finding> {
    let (name, problem) = (guest.name.clone(), guest.problem.clone());
    let (guest, state) = (guest.guest.clone(), guest.state);
    if matches!(state, GuestState::Failed | GuestState::Refused) {
        let why = problem.unwrap_or_else(|| "it cannot ask".to_owned());
        return Some(Finding::GuestWrong { guest, name, uuid: None, why, repairs: false });
    }
    is_named.then(|| Finding::GuestFine { guest, state: daemon_state_words(state) })
}

fn of_row(row: &Row) -> Option<Finding> {
    let (guest, name, uuid) = (row.guest.clone(), row.name.clone(), row.uuid.clone());
    if let Some(why) = row.problem.clone() {
        return Some(Finding::GuestWrong { guest, name, uuid, why, repairs: row.is_repairable });
    }
    if let (Some(Has::Yes(location)), Some(Has::No)) = (&row.saved, &row.running) {
        let pluggable = location.is_pluggable();
        return Some(Finding::GuestNotRestarted { guest, name, uuid, pluggable });
    }
    let rule = row.rule.as_ref().filter(|rule| !rule.enabled)?;
    let rule = format!("{}:{}", rule.file, rule.line.unwrap_or_default());
    row.running.as_ref()?.location().map(|_| Finding::GuestClosed { guest, rule })
}
