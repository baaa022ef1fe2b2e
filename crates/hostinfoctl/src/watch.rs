//! `watch`: guests' queries and replies, live.

use hostinfo_control::Event;
use hostinfo_wire::text::escaped;
use jiff::tz::TimeZone;

use crate::args::Options;
use crate::daemon::{connect, whole_name};
use crate::exit::{DONE, Failure, Status};
use crate::output::{write, write_json_line};

/// Shows them as they happen, until the daemon ends or the reader of stdout closes it.
///
/// # Errors
/// [`Failure`].
pub(crate) fn run(options: &Options, guest: Option<&str>) -> Result<Status, Failure> {
    let mut daemon = connect(options)?;
    let guest = guest.map(|guest| whole_name(options, &mut daemon, guest)).transpose()?;
    for event in daemon.watch(guest.as_deref())? {
        let event = event?;
        match options.json {
            true => write_json_line(&event)?,
            false => write(&line(&event, &TimeZone::system()))?,
        }
    }
    Ok(DONE)
}

/// `22:30:00.250  qemu-web  physcpus -> 200 physcpus=2  (0.4 ms)`, and the number of further lines.
fn line(event: &Event, zone: &TimeZone) -> String {
    let mut lines = event.reply.lines();
    let first = lines.next().map(escaped).unwrap_or_default();
    let more = match lines.count() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let left_out = match event.left_out {
        0 => String::new(),
        many => format!("... {many} left out: they come too fast to be shown\n"),
    };
    format!(
        "{left_out}{}  {}  {} -> {first}{more}  ({:.1} ms)\n",
        event.at.to_zoned(zone.clone()).strftime("%H:%M:%S.%3f"),
        escaped(&event.guest),
        escaped(&event.asked),
        event.seconds * 1000.0
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_what_was_asked_and_the_first_of_what_was_answered() {
        let mut event = Event {
            at: "2026-11-22T21:30:00.25Z".parse().unwrap(),
            guest: "qemu-web".to_owned(),
            asked: "loadavg".to_owned(),
            code: 200,
            reply: "200-loadavg.1=0\n200-loadavg.5=0\n200 loadavg.15=0\n".to_owned(),
            bytes: 48,
            seconds: 0.0004,
            left_out: 0,
        };
        let expected = "22:30:00.250  qemu-web  loadavg -> 200-loadavg.1=0 and 2 more  (0.4 ms)\n";
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        assert_eq!(line(&event, &zone), expected);
        event.left_out = 3;
        assert!(line(&event, &zone).starts_with("... 3 left out"));
    }
}
