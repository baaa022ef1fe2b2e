//! Guests that cannot ask, and why.

use std::path::Path;

use hostinfo_control::{Guest, GuestState};
use hostinfo_domains::operand;

use super::finding::{Finding, Subject::Guests};
use crate::args::Options;
use crate::daemon::Known;
use crate::exit::Failure;
use crate::guests::means;
use crate::held::{self, HeldPort, Holder};
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
        findings.extend(present.unknown().iter().map(|why| Guests.problem(why.to_string(), &[])));
        let mut rows = present.rows;
        // A rules file with errors has a finding of its own.
        let _ = complete(&mut rows, options, known);
        if words.is_empty() {
            findings.extend(rows.iter().filter_map(of_row));
            let number = rows.iter().filter(|row| row.state == State::Disabled).count();
            if number > 0 {
                findings.push(Guests.note(format!(
                    "{number} of libvirt's domains have no port: hostinfoctl list --state disabled"
                )));
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
            Guests.problem(failure.to_string(), &[])
        }));
    }
    cut(known.map(|known| held_ports(known, is_meant)).unwrap_or_default(), findings)
}

/// Ports of guests that other programs hold.
fn held_ports(known: &Known, is_meant: impl Fn(&Guest) -> bool) -> Vec<Finding> {
    let guests: Vec<_> = known.guests.values().filter(|guest| is_meant(guest)).cloned().collect();
    let directory = Path::new(&known.status.socket_dir.path);
    match held::find(directory, &guests, known.status.pid) {
        Ok(held) => held.iter().map(of_held).collect(),
        Err(error) => vec![Guests.unseen_without_root(format!(
            "whether other programs hold guests' ports is not known: {error}"
        ))],
    }
}

/// As many as are named. Ports that others hold come first: who makes guests that cannot ask, by names alone, hides none
/// of these.
fn cut(mut held: Vec<Finding>, others: Vec<Finding>) -> Vec<Finding> {
    held.extend(others);
    if let number @ 1.. = held.len().saturating_sub(NAMED_MAX) {
        held.truncate(NAMED_MAX);
        let words = format!("{number} more guests have problems");
        held.push(Guests.problem(words, &["hostinfoctl list --state error".to_owned()]));
    }
    held
}

/// A guest that was asked for, and with which nothing is wrong.
fn of_named(row: &Row) -> Finding {
    let guest = &row.guest;
    match row.state {
        State::Disabled => {
            let words = format!("{guest}: it has no port");
            Guests.problem(words, &[format!("hostinfoctl enable {}", operand(&row.name))])
        }
        state => Guests.fine(format!("{guest}: {}", state.words())),
    }
}

/// A guest of a host without libvirt.
fn of_guest(guest: &Guest, is_named: bool) -> Option<Finding> {
    let Guest { guest, state, problem, .. } = guest;
    if matches!(state, GuestState::Failed | GuestState::Refused) {
        let why = problem.as_deref().unwrap_or("it cannot ask");
        return Some(Guests.problem(format!("{guest}: {why}"), &[]));
    }
    is_named.then(|| Guests.fine(format!("{guest}: {}", daemon_state_words(*state))))
}

fn of_row(row: &Row) -> Option<Finding> {
    let (guest, name) = (&row.guest, operand(&row.name));
    if let Some(why) = &row.problem {
        let repair = format!("hostinfoctl enable --repair {name}");
        let commands: Vec<String> = std::iter::once(repair).chain(restart(row)).collect();
        let remedy = if row.is_repairable { commands } else { Vec::new() };
        return Some(Guests.problem(format!("{guest}: {why}"), &remedy));
    }
    if let (Some(Has::Yes(location)), Some(Has::No)) = (&row.saved, &row.running) {
        let words = format!(
            "{guest}: it runs without the port in its saved configuration (rebooting inside the guest is not enough)"
        );
        let remedy = match location.is_pluggable() {
            true => vec![format!("hostinfoctl enable --now {name}")],
            false => restart(row),
        };
        return Some(Guests.problem(words, &remedy));
    }
    let rule = row.rule.as_ref().filter(|rule| !rule.enabled)?;
    let rule = format!("{}:{}", rule.file, rule.line.unwrap_or_default());
    let words = format!("{guest}: it may not ask, since its rule says enabled = 0 ({rule})");
    row.running.as_ref()?.location().map(|_| Guests.note(words))
}

fn of_held(held: &HeldPort) -> Finding {
    // To be looked at, and not killed: the daemon says where the port is, and whoever connects can pass the connection on.
    let remedy = |&Holder { pid, .. }: &Holder| vec![format!("ps -o user,pid,args -p {pid}")];
    Guests.problem(held.words(), &held.holder.as_ref().map(remedy).unwrap_or_default())
}

/// The commands that shut a domain down and start it, also if they are copied at once: `virsh shutdown` does not wait. By its
/// UUID, since whoever names a domain `7` would have virsh take the one that has this number. None if it is no domain.
fn restart(row: &Row) -> Vec<String> {
    let Some(uuid) = &row.uuid else { return Vec::new() };
    vec![
        format!("virsh shutdown {uuid}"),
        format!("while virsh list --uuid | grep -qxF {uuid}; do sleep 1; done"),
        format!("virsh start {uuid}"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_has_a_guests_connection_is_shown_and_not_killed() {
        let holder = Some(Holder { pid: 7, program: "dbus-daemon".to_owned() });
        let held = HeldPort { guest: "qemu-a".to_owned(), path: "/s/qemu-a".into(), holder };
        let found = of_held(&held);
        assert_eq!(found.remedy, ["ps -o user,pid,args -p 7"]);
        assert!(found.message.contains("Make sure that"), "{}", found.message);
    }

    #[test]
    fn a_port_that_another_program_holds_is_named_however_many_guests_cannot_ask() {
        let problem = |words: &str| Guests.problem(words, &[]);
        let found = cut(vec![problem("held")], (0..30).map(|_| problem("other")).collect());
        let messages: Vec<&str> = found.iter().map(|finding| finding.message.as_str()).collect();
        assert_eq!(messages.len(), NAMED_MAX + 1);
        assert_eq!((messages[0], messages[NAMED_MAX]), ("held", "11 more guests have problems"));
    }

    #[test]
    fn a_guests_name_does_nothing_to_a_shell_or_a_terminal() {
        let described = |name: &str| {
            let (uuid, problem) = (Some("6695eb01".to_owned()), Some("x".to_owned()));
            let row = Row { uuid, problem, is_repairable: true, ..Row::of_socket("qemu", name) };
            of_row(&row).unwrap()
        };
        let wrong = described("a; rm -rf $HOME \u{1b}[2J");
        assert!(!wrong.message.contains('\u{1b}'));
        let words = shlex::split(&wrong.remedy[0]).unwrap();
        assert_eq!(words[3..], [r"a; rm -rf $HOME \u{1b}[2J"], "one word");
        assert_eq!(
            wrong.remedy[1], "virsh shutdown 6695eb01",
            "not what has the name as its number"
        );
        assert_eq!(described("--all").remedy[0], "hostinfoctl enable --repair -- --all");
    }
}
