//! If two hosts differ only in what a guest may not see, the guest cannot tell them apart.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use hostinfo_answer::Outcome;
use hostinfo_catalog::StatId;
use hostinfo_sample::examples::{captured, copy};
use tempfile::TempDir;

use crate::world::{GUEST, HOST, World};

/// Number of queries, for all rules together.
const QUESTIONS: usize = 1_000;

/// Rules that deny exactly what these files of a host reveal.
const RULES: [(&str, &[&str]); 4] = [
    ("*:\n interval = 0\n all = 1\n verdict = 0\n loadavg = 0\n", &["proc/loadavg"]),
    (
        "*:\n interval = 0\n all = 0\n loadavg = 1\n vm.memory = 1\n session = 1\n window = 1\n",
        &[
            "proc/stat",
            "proc/meminfo",
            "proc/vmstat",
            "proc/diskstats",
            "proc/net/dev",
            "proc/pressure/cpu",
            "proc/pressure/io",
            "proc/pressure/memory",
            "proc/cpuinfo",
            "proc/513/task/521/schedstat",
        ],
    ),
    (
        "*:\n interval = 5\n all = 1\n verdict = 0\n pressure = 0\n disk = 0\n net = 0\n",
        &["proc/pressure/cpu", "proc/pressure/io", "proc/diskstats", "proc/net/dev"],
    ),
    ("*:\n interval = 0\n all = 0\n label = 1\n", &["proc/stat", "proc/meminfo", "proc/loadavg"]),
];

/// Denied in all rules: what depends on the clock, and the CPUs' frequencies, of which only as many
/// are read as there is time for.
const CLOCK: &str = " time = 0\n session.start = 0\n cpu.frequency = 0\n";

/// A host that differs from the captured one in these files. By turns, a file has other figures,
/// other figures and fewer lines, or is missing.
fn other(files: &[&str]) -> TempDir {
    let host = host();
    for (at, file) in files.iter().enumerate() {
        let path = host.path().join(file);
        if at % 3 == 2 {
            fs::remove_file(path).unwrap();
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let keep = if at % 3 == 1 { text.lines().count().div_ceil(2) } else { usize::MAX };
        let changed = text.lines().take(keep).map(|line| line.replace('1', "7") + "\n");
        fs::write(path, changed.collect::<String>()).unwrap();
    }
    host
}

/// The query with that number: single statistics in several forms, groups, and everything.
fn question(number: usize, names: &[String]) -> String {
    let name = |step: usize| &names[number * step % names.len()];
    match number % 8 {
        0 => "*\n".to_owned(),
        1 => format!("json {} {}\n", name(3), name(5)),
        2 => format!("metrics {}\n", name(7)),
        3 => "list\n".to_owned(),
        4 => format!("{} {} {}\n", name(1), name(11), name(13)),
        5 => "json *\n".to_owned(),
        6 => "GET /metrics/XML\n".to_owned(),
        _ => format!("get {}\nnosuch\nping x\n", name(1)),
    }
}

fn host() -> TempDir {
    let host = tempfile::tempdir().unwrap();
    for folder in [GUEST, HOST] {
        copy(&captured(folder), host.path());
    }
    host
}

/// All replies to this many queries, with their times.
fn answers(
    host: &Path,
    rules: &str,
    names: &[String],
    questions: usize,
    start: Instant,
) -> Vec<(Duration, String)> {
    let mut world = World::on(host, host, &format!("{rules}{CLOCK}"), start);
    let (mut now, mut replies) = (start, Vec::new());
    for number in 0..questions {
        let question = question(number, names);
        let mut input = question.as_bytes();
        loop {
            let outcome = world.turn(0, std::mem::take(&mut input), now);
            match outcome {
                Outcome::Read => break,
                Outcome::Wait(until) | Outcome::WaitForValue(until) => now = until.max(now),
                Outcome::Answered { .. } => replies.push((now - start, world.reply())),
            }
        }
        now += Duration::from_millis(1_300);
    }
    replies
}

#[test]
fn a_guest_cannot_tell_hosts_apart_by_what_is_denied() {
    let names: Vec<String> = StatId::all()
        .map(|stat| stat.stat().name.replace('N', "0").replace("DEV", "vda"))
        .collect();
    let start = Instant::now();
    let one = host();
    for (rules, files) in RULES {
        let replies = |host: &Path| answers(host, rules, &names, QUESTIONS / RULES.len(), start);
        let (first, second) = (replies(one.path()), replies(other(files).path()));
        assert_eq!(first.len(), second.len());
        for (first, second) in first.iter().zip(&second) {
            assert_eq!(first, second, "under {rules}");
        }
        let permissive = rules.replace(" = 0\n", " = 1\n").replace("verdict = 1", "verdict = 0");
        let replies = |host: &Path| answers(host, &permissive, &names, 8, start);
        assert_ne!(replies(one.path()), replies(other(files).path()), "the hosts do differ");
    }
}
