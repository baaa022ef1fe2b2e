//! `explain`: what a guest may ask, and which line of the rules decides it. The daemon decides;
//! nothing is decided here.

use hostinfo_control::{Client, Decision, Error, Explanation, Refusal};
use hostinfo_wire::nearest::{ALIKE, nearest};
use hostinfo_wire::text::escaped;

use crate::args::Options;
use crate::daemon::{connect, whole_name};
use crate::exit::{DONE, Failure, Status};
use crate::output::write_result;
use crate::state::daemon_state_words;
use crate::table::table;

/// Explains those statistics, or all.
///
/// # Errors
/// [`Failure::Daemon`].
pub(crate) fn run(options: &Options, guest: &str, names: &[String]) -> Result<Status, Failure> {
    let names = (!names.is_empty()).then(|| names.to_vec());
    let mut daemon = connect(options)?;
    let guest = whole_name(options, &mut daemon, guest)?;
    let explanation = match daemon.explain(&guest, names) {
        Err(Error::Refused(Refusal::NoSuchStatistic { name, message })) => {
            return Err(match nearest_statistic(&mut daemon, &guest, &name) {
                Some(nearest) => Failure::Refused(format!("{message}: do you mean {nearest}?")),
                None => Failure::Refused(message),
            });
        }
        other => other?,
    };
    write_result(options, &explanation, || shown(&explanation))?;
    Ok(DONE)
}

/// The statistic or group that may be meant.
pub(crate) fn nearest_statistic(daemon: &mut Client, guest: &str, name: &str) -> Option<String> {
    let all = daemon.explain(guest, None).ok()?.statistics;
    let groups = all.iter().filter_map(|one| one.name.split_once('.').map(|(group, _)| group));
    let names = all.iter().map(|one| &*one.name).chain(groups);
    nearest(name, names, ALIKE).map(str::to_owned)
}

fn shown(explanation: &Explanation) -> String {
    let mut text =
        format!("{}: {}\n", escaped(&explanation.guest), daemon_state_words(explanation.state));
    let mut add = |words: &str| text.push_str(&format!("  {words}\n"));
    match (&explanation.problem, explanation.may_ask) {
        (Some(why), false) => add(&format!("may not ask: {}", escaped(why))),
        (Some(problem), true) => add(&escaped(problem)),
        (None, _) => {}
    }
    let path = &explanation.path;
    match (&explanation.pattern, explanation.line) {
        (Some(pattern), Some(line)) => {
            add(&format!("rule {} at {path}:{line}", escaped(pattern)));
        }
        _ => add(&format!("no rule of {path} matches: it has the built-in default")),
    }
    if explanation.may_ask {
        add(&format!("may ask once in {} s", explanation.interval));
    }
    if explanation.watch {
        add("is watched while it does not ask");
    }
    if explanation.vhostmd_disk {
        add("has a metrics disk");
    }
    let otherwise = if explanation.may_ask { "built-in default" } else { "see above" };
    let rows = explanation.statistics.iter().map(|one| decision_cells(one, path, otherwise));
    let rows: Vec<Vec<String>> = rows.collect();
    text + &table(&["STATISTIC", "MAY SEE", "BY"], &rows)
}

/// `otherwise` names what decides if no line does.
fn decision_cells(decision: &Decision, path: &str, otherwise: &str) -> Vec<String> {
    let may = if decision.permitted { "yes" } else { "no" };
    let by = decision.line.map_or_else(|| otherwise.to_owned(), |line| format!("{path}:{line}"));
    vec![decision.name.clone(), may.to_owned(), by]
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostinfo_control::GuestState;

    fn decision(name: &str, permitted: bool, line: Option<u64>) -> Decision {
        Decision { name: name.to_owned(), permitted, line }
    }

    fn explanation() -> Explanation {
        Explanation {
            guest: "qemu-web".to_owned(),
            state: GuestState::Connected,
            problem: None,
            path: "/etc/h.conf".to_owned(),
            pattern: Some("qemu-*".to_owned()),
            line: Some(3),
            may_ask: true,
            interval: 30.0,
            watch: true,
            vhostmd_disk: false,
            statistics: vec![
                decision("physcpus", false, Some(5)),
                decision("loadavg.1", true, None),
            ],
        }
    }

    #[test]
    fn each_decision_has_its_line_or_is_the_built_in_default() {
        assert_eq!(
            shown(&explanation()),
            "qemu-web: connected\n  rule qemu-* at /etc/h.conf:3\n  may ask once in 30 s\n  \
             is watched while it does not ask\n\
             STATISTIC  MAY SEE  BY\n\
             physcpus   no       /etc/h.conf:5\n\
             loadavg.1  yes      built-in default\n"
        );
    }

    #[test]
    fn why_a_guest_may_not_ask_at_all_is_said_once() {
        let refused = Explanation {
            state: GuestState::Refused,
            problem: Some("it is another's".to_owned()),
            may_ask: false,
            statistics: vec![decision("physcpus", false, None)],
            ..explanation()
        };
        assert_eq!(
            shown(&refused),
            "qemu-web: error\n  may not ask: it is another's\n  rule qemu-* at /etc/h.conf:3\n  \
             is watched while it does not ask\n\
             STATISTIC  MAY SEE  BY\n\
             physcpus   no       see above\n"
        );
    }
}
