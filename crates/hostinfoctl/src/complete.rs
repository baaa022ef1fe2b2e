//! The names for shell completion: guests, statistics and notices, where the next word may be one. The shells' own files
//! know the rest; they start this program with [`OPTION`], the word at the cursor, and the words before it.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use clap::{ArgMatches, Command, CommandFactory as _, FromArgMatches as _};
use hostinfo_catalog::resolve::known_names;
use hostinfo_control::Client;
use hostinfo_domains::Access;
use hostinfo_wire::text::is_printable;

use crate::args::{Args, Options};
use crate::exit::{self, DONE, Failure};
use crate::libvirt::Libvirt;
use crate::output::write;
use crate::uri::is_remote;

/// The option with which a shell's completion calls this program.
pub(crate) const OPTION: &str = "--complete";

/// How long somebody who presses Tab may have to wait.
const TIME: Duration = Duration::from_millis(300);

/// How long hostinfod and libvirt may be silent, each: shorter, so that a helper whose libvirt hangs is killed before
/// this program ends.
const SILENCE: Duration = Duration::from_millis(200);

/// A word that every argument accepts that takes a name or a number.
const ANY: &str = "18446744073709551615";

/// What an argument is a name of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Guest,
    Statistic,
    Notice,
}

/// Writes the names, one per line. Whatever goes wrong, there are fewer, and no error: it would be written into the
/// line that somebody is typing.
pub(crate) fn run(mut words: impl Iterator<Item = OsString>) -> ExitCode {
    let word = words.next().unwrap_or_default();
    let names = next(words).map(|(what, options)| match what {
        What::Guest => guests(options, &word.to_string_lossy()),
        What::Statistic => known_names().filter(is_plain).map(str::to_owned).collect(),
        What::Notice => notices(&options),
    });
    let names = names.unwrap_or_default();
    // A name that begins with `-` would be read as an option, and one of them can start programs: `--connect`.
    let is_safe = |name: &&String| name.chars().all(is_printable) && !name.starts_with('-');
    let lines = names.iter().filter(is_safe);
    exit::code(write(&lines.map(|name| format!("{name}\n")).collect::<String>()).map(|()| DONE))
}

/// What the next word is a name of, and the options before it. `None`: the shell knows better, or the line is wrong.
fn next(words: impl Iterator<Item = OsString>) -> Option<(What, Options)> {
    let mut command = Args::command().ignore_errors(true);
    let line = [OsString::from("hostinfoctl")].into_iter().chain(words).chain([ANY.into()]);
    let matches = command.try_get_matches_from_mut(line).ok()?;
    Some((taken_as(&command, &matches)?, Options::from_arg_matches(&matches).ok()?))
}

/// What [`ANY`] was taken for.
fn taken_as(command: &Command, matches: &ArgMatches) -> Option<What> {
    if let Some((name, matches)) = matches.subcommand() {
        return taken_as(command.find_subcommand(name)?, matches);
    }
    let has_any = |id: &str| {
        let values = matches.try_get_raw(id).ok().flatten();
        values.is_some_and(|mut values| values.any(|value| value == OsStr::new(ANY)))
    };
    let arg = command.get_arguments().find(|arg| has_any(arg.get_id().as_str()))?;
    match arg.get_value_names()?.first()?.as_str() {
        "GUEST" | "PATTERN" => Some(What::Guest),
        "STATISTIC" | "NAME" => Some(What::Statistic),
        "NUMBER" => Some(What::Notice),
        _ => None,
    }
}

/// Whether it can be asked for: a segment in capitals stands for an instance.
fn is_plain(name: &&'static str) -> bool {
    !name.bytes().any(|byte| byte.is_ascii_uppercase())
}

/// A guest's driver and its name.
type Guest = (String, String);

/// The names of the guests that hostinfod and libvirt know, whichever answers in time; also whole names, if the word
/// begins as one.
fn guests(options: Options, word: &str) -> BTreeSet<String> {
    // To ask another host may need a password.
    if is_remote(&options.connect) {
        return BTreeSet::new();
    }
    let until = Instant::now() + TIME;
    let (sender, receiver) = mpsc::channel();
    for source in [of_daemon, of_libvirt] {
        let (sender, options) = (sender.clone(), options.clone());
        // It fails only when nobody waits any more.
        thread::spawn(move || sender.send(source(&options).unwrap_or_default()));
    }
    drop(sender);
    let mut names = BTreeSet::new();
    while let Ok(guests) = receiver.recv_timeout(until.saturating_duration_since(Instant::now())) {
        for (driver, name) in guests {
            if word.strip_prefix(&*driver).is_some_and(|rest| rest.starts_with('-')) {
                names.insert(format!("{driver}-{name}"));
            }
            names.insert(name);
        }
    }
    names
}

fn of_daemon(options: &Options) -> Result<Vec<Guest>, Failure> {
    let guests = Client::connect(&options.control, SILENCE)?.list()?;
    Ok(guests.into_iter().map(|guest| (guest.driver, guest.name)).collect())
}

fn of_libvirt(options: &Options) -> Result<Vec<Guest>, Failure> {
    let mut libvirt = Libvirt::connect_within(options, Access::Read, SILENCE)?;
    let entries = libvirt.list()?;
    let driver = libvirt.driver();
    Ok(entries.into_iter().map(|entry| (driver.to_owned(), entry.name)).collect())
}

/// The notices' numbers.
fn notices(options: &Options) -> BTreeSet<String> {
    let notices =
        Client::connect(&options.control, SILENCE).and_then(|mut daemon| daemon.notices());
    notices.unwrap_or_default().iter().map(|notice| notice.id.to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn what(line: &str) -> Option<What> {
        next(line.split_whitespace().map(OsString::from)).map(|(what, _)| what)
    }

    #[test]
    fn a_guest_can_be_next_where_the_command_line_takes_one() {
        for line in [
            "enable",
            "enable --now web",
            "disable",
            "tag",
            "snippet",
            "list --state connected",
            "-c test:///default list --wide a",
            "diff x.conf",
            "incidents --since 24h",
            "watch",
            "explain",
            "preview --json",
            "notice set",
        ] {
            assert_eq!(what(line), Some(What::Guest), "{line}");
        }
    }

    #[test]
    fn statistics_and_notices_can_be_next_where_the_command_line_takes_them() {
        assert_eq!(what("explain web"), Some(What::Statistic));
        assert_eq!(what("preview web loadavg"), Some(What::Statistic));
        assert_eq!(what("notice clear"), Some(What::Notice));
        assert_eq!(what("notice clear 1"), Some(What::Notice));
    }

    #[test]
    fn nothing_is_offered_where_the_shell_knows_better_or_nothing_can_be_next() {
        for line in [
            "",
            "frob",
            "check",
            "diff",
            "status",
            "watch web",
            "tag web",
            "notice",
            "notice set web",
            "enable --transport",
            "enable --port",
            "list --tag",
            "stats --output",
            "host-state set",
            "enable --help",
        ] {
            assert_eq!(what(line), None, "{line}");
        }
    }

    #[test]
    fn options_before_the_word_say_whom_to_ask() {
        let words = ["--control", "/x", "-c", "test:///default", "enable"].map(OsString::from);
        let (_, options) = next(words.into_iter()).unwrap();
        assert_eq!((&*options.connect, options.control.to_str()), ("test:///default", Some("/x")));
    }

    #[test]
    fn no_guests_of_another_host_are_offered() {
        let words = ["-c", "qemu+ssh://host/system", "enable"].map(OsString::from);
        let (_, options) = next(words.into_iter()).unwrap();
        assert!(guests(options, "").is_empty());
    }
}
