//! Guests that cannot ask, and why.

use std::path::Path;

use hostinfo_control::GuestState;

use super::finding::Finding;
use crate::args::Options;
use crate::daemon::Known;
use crate::held;
use crate::list::complete;
use crate::present::Present;
use crate::row::{Has, Row};
use crate::state::State;

/// Most guests that are named, so that the rest of the output remains visible.
const NAMED_MAX: usize = 20;

/// Looks at all guests of libvirt, if it answers, and of the daemon.
pub(crate) fn look(options: &Options, known: Option<&Known>, has_libvirt: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    if has_libvirt {
        let mut rows = Present::find(options, &[], known).rows;
        // A rules file with errors has a finding of its own.
        let _ = complete(&mut rows, options, known);
        findings.extend(rows.iter().filter_map(of_row));
        let number = rows.iter().filter(|row| row.state == State::Disabled).count();
        if number > 0 {
            findings.push(Finding::GuestsWithoutPort { number });
        }
    } else if let Some(known) = known {
        let is_wrong = |state| matches!(state, GuestState::Failed | GuestState::Refused);
        let wrong = known.guests.values().filter(|guest| is_wrong(guest.state));
        findings.extend(wrong.map(|guest| Finding::GuestWrong {
            guest: guest.guest.clone(),
            name: guest.name.clone(),
            why: guest.problem.clone().unwrap_or_else(|| "it cannot ask".to_owned()),
            repairs: false,
        }));
    }
    if let Some(known) = known {
        let guests: Vec<_> = known.guests.values().cloned().collect();
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

fn of_row(row: &Row) -> Option<Finding> {
    let (guest, name) = (row.guest.clone(), row.name.clone());
    if let Some(why) = row.problem.clone() {
        return Some(Finding::GuestWrong { guest, name, why, repairs: row.is_repairable });
    }
    if let (Some(Has::Yes(location)), Some(Has::No)) = (&row.saved, &row.running) {
        let pluggable = location.is_pluggable();
        return Some(Finding::GuestNotRestarted { guest, name, pluggable });
    }
    let rule = row.rule.as_ref().filter(|rule| !rule.enabled)?;
    let rule = format!("{}:{}", rule.file, rule.line.unwrap_or_default());
    row.running.as_ref()?.location().map(|_| Finding::GuestClosed { guest, rule })
}
