//! `notice`: what guests read from their administrator.

use hostinfo_control::{Client, NOTICES_PER_GUEST, Notice as SetNotice, NoticeKind};
use hostinfo_rules::Pattern;
use hostinfo_wire::text::escaped;
use jiff::{Timestamp, Zoned};
use serde_json::json;

use crate::args::{Kind, Notice, Options};
use crate::daemon::{connect, whole_name};
use crate::exit::{DONE, Failure, Status, complain};
use crate::guests::is_pattern;
use crate::output::write_result;
use crate::table::table;
use crate::time::{local, parse};

/// Sets, lists or removes notices.
///
/// # Errors
/// [`Failure`].
pub(crate) fn run(options: &Options, wanted: &Notice) -> Result<Status, Failure> {
    match wanted {
        Notice::Set { pattern, text, kind, at, until } => {
            let now = Zoned::now();
            let time =
                |text: &Option<String>, from: &Zoned| -> Result<Option<Timestamp>, Failure> {
                    text.as_ref().map(|text| parse(text, from)).transpose()
                };
            let at = time(at, &now)?;
            // For an event that begins at 22:00, `23:00` and `+1h` both mean an end an hour later.
            let from = at.map_or(now.clone(), |at| at.to_zoned(now.time_zone().clone()));
            let until = time(until, &from)?;
            let mut daemon = connect(options)?;
            let pattern = &whole_name_pattern(options, &mut daemon, pattern)?;
            let set = daemon.set_notice(pattern, kind_of(*kind), text, at, until)?;
            write_result(options, &set, || {
                let guests = match set.guests {
                    0 if is_pattern(pattern) => {
                        "no guest that is there now: patterns match $driver-$name".to_owned()
                    }
                    0 => format!("{}, which is not there now", escaped(pattern)),
                    1 => "1 guest that is there now".to_owned(),
                    many => format!("{many} guests that are there now"),
                };
                format!("notice {} is set, for {guests}\n", set.notice.id)
            })?;
            if let 1.. = set.hidden {
                complain(format!(
                    "note: {} of them will see it only when others have ended or been cleared: a \
                     guest sees {NOTICES_PER_GUEST} notices, the soonest first",
                    set.hidden
                ));
            }
            if until.is_none() && at.is_some_and(|at| at <= now.timestamp()) {
                complain(format!(
                    "note: its time has already come, and it has no --until: it stays until \
                     `hostinfoctl notice clear {}`",
                    set.notice.id
                ));
            }
        }
        Notice::List => {
            let notices = connect(options)?.notices()?;
            write_result(options, &json!({ "notices": notices }), || match notices.is_empty() {
                true => "There are no notices.\n".to_owned(),
                false => notice_table(&notices),
            })?;
        }
        Notice::Clear { numbers, all } => {
            let which = (!all).then(|| numbers.clone());
            let cleared = connect(options)?.clear_notices(which)?;
            write_result(options, &json!({ "cleared": cleared }), || match cleared.is_empty() {
                true => "There were no notices.\n".to_owned(),
                false => format!("No longer shown to guests:\n{}", notice_table(&cleared)),
            })?;
        }
    }
    Ok(DONE)
}

/// The pattern of whole names for what was given: a guest's name alone stands for that guest.
///
/// # Errors
/// It names no guest, and can never: `web` is no whole name, and neither is anything that `web*` matches.
fn whole_name_pattern(
    options: &Options,
    daemon: &mut Client,
    pattern: &str,
) -> Result<String, Failure> {
    let guests = daemon.list()?;
    let Ok(parsed) = pattern.parse::<Pattern>() else {
        // The daemon says what is wrong with it.
        return Ok(pattern.to_owned());
    };
    if guests.iter().any(|guest| parsed.matches(&guest.guest)) {
        return Ok(pattern.to_owned());
    }
    if !is_pattern(pattern) {
        return Ok(as_pattern(&whole_name(options, daemon, pattern)?));
    }
    match guests.iter().find(|guest| parsed.matches(&guest.name)) {
        None => Ok(pattern.to_owned()),
        Some(guest) => Err(Failure::Usage(format!(
            "no guest's whole name matches {pattern:?}: did you mean {:?}?",
            format!("{}-{pattern}", guest.driver)
        ))),
    }
}

/// A name as a pattern that matches it alone: `\` takes away the meaning of what follows it.
fn as_pattern(name: &str) -> String {
    let special = |c: char| "*?[]\\\"".contains(c).then_some('\\');
    name.chars().flat_map(|c| special(c).into_iter().chain([c])).collect()
}

fn kind_of(kind: Kind) -> NoticeKind {
    match kind {
        Kind::Maintenance => NoticeKind::Maintenance,
        Kind::Migration => NoticeKind::Migration,
        Kind::Info => NoticeKind::Info,
    }
}

fn notice_table(notices: &[SetNotice]) -> String {
    let rows: Vec<Vec<String>> = notices
        .iter()
        .map(|notice| {
            vec![
                notice.id.to_string(),
                escaped(&notice.pattern),
                notice.kind.to_string(),
                local(notice.at),
                notice.until.map(local).unwrap_or_default(),
                escaped(&notice.text),
            ]
        })
        .collect();
    table(&["NUMBER", "GUESTS", "KIND", "AT", "UNTIL", "TEXT"], &rows)
}
