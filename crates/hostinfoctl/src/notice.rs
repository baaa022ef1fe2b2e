//! `notice`: what guests read from their administrator.

use hostinfo_control::{NOTICES_PER_GUEST, Notice as Told, NoticeKind};
use jiff::{Timestamp, Zoned};

use crate::args::{Kind, Notice, Options};
use crate::daemon::connect;
use crate::exit::{DONE, Failure, Status, complain};
use crate::output::{printable, write, write_json};
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
            let set = connect(options)?.set_notice(pattern, kind_of(*kind), text, at, until)?;
            if options.json {
                write_json(&set)?;
            } else {
                let guests = match set.guests {
                    0 => "no guest that is there now: patterns are of $driver-$name".to_owned(),
                    1 => "1 guest that is there now".to_owned(),
                    many => format!("{many} guests that are there now"),
                };
                write(&format!("notice {} is set, for {guests}\n", set.notice.id))?;
            }
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
            match (options.json, notices.is_empty()) {
                (true, _) => write_json(&notices)?,
                (false, true) => write("There are no notices.\n")?,
                (false, false) => write(&notice_table(&notices))?,
            }
        }
        Notice::Clear { numbers, all } => {
            let which = (!all).then(|| numbers.clone());
            let cleared = connect(options)?.clear_notices(which)?;
            match (options.json, cleared.is_empty()) {
                (true, _) => write_json(&cleared)?,
                (false, true) => write("There were no notices.\n")?,
                (false, false) => {
                    write(&format!("No longer shown to guests:\n{}", notice_table(&cleared)))?;
                }
            }
        }
    }
    Ok(DONE)
}

fn kind_of(kind: Kind) -> NoticeKind {
    match kind {
        Kind::Maintenance => NoticeKind::Maintenance,
        Kind::Migration => NoticeKind::Migration,
        Kind::Info => NoticeKind::Info,
    }
}

fn notice_table(notices: &[Told]) -> String {
    let rows: Vec<Vec<String>> = notices
        .iter()
        .map(|notice| {
            vec![
                notice.id.to_string(),
                printable(&notice.pattern),
                notice.kind.to_string(),
                local(notice.at),
                notice.until.map(local).unwrap_or_default(),
                printable(&notice.text),
            ]
        })
        .collect();
    table(&["NUMBER", "GUESTS", "KIND", "AT", "UNTIL", "TEXT"], &rows)
}
