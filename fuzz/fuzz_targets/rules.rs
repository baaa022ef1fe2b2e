//! Any file is rules or problems that a terminal can show, and rules decide about any guest.
#![no_main]

use std::path::Path;

use hostinfo_catalog::StatId;
use hostinfo_rules::{Decision, PROBLEMS_MAX, Problem, Rules, Tags, parse};
use hostinfo_wire::limits::INTERVAL_MAX;
use libfuzzer_sys::fuzz_target;

/// One statistic in so many is decided about.
const STRIDE: usize = StatId::COUNT / 3;

/// Guests that patterns name and that are decided about.
const GUESTS: usize = 4;

fuzz_target!(|file: &[u8]| {
    match parse(file) {
        Err(errors) => {
            assert!(!errors.is_empty());
            assert_shown(&errors, file);
        }
        Ok(parsed) => {
            assert_shown(&parsed.warnings, file);
            assert_decides(&parsed.rules, "qemu-myguest", file);
            assert_decides(&parsed.rules, &String::from_utf8_lossy(file), file);
            for guest in parsed.rules.named_guests().take(GUESTS) {
                assert_decides(&parsed.rules, &guest, file);
                // A rule that names it decides, unless its tags are another's.
                let decided = parsed.rules.decide(&guest).rule().is_some();
                assert!(decided || parsed.rules.have_conditions());
                let unreadable = parsed.rules.decide_tagged(&guest, &Tags::Unreadable);
                assert!(
                    matches!(unreadable, Decision::Granted(_)) || parsed.rules.have_conditions()
                );
            }
        }
    }
});

fn assert_shown(problems: &[Problem], file: &[u8]) {
    assert!(problems.len() <= PROBLEMS_MAX + 1);
    let last_line = file.split(|byte| *byte == b'\n').count();
    for problem in problems {
        assert!((1..=last_line).contains(&problem.line()) && problem.column() >= 1);
        let shown = problem.show(Path::new("hostinfo.conf")).to_string();
        assert_eq!(shown.split('\n').count(), 3, "{shown:?}");
        assert!(!shown.replace('\n', "").contains(char::is_control), "{shown:?}");
    }
}

/// Some statistics for each file, other ones for another: all of them for each would take a hundred
/// times as long as the parser does.
fn assert_decides(rules: &Rules, guest: &str, file: &[u8]) {
    let grant = rules.decide(guest);
    assert!(grant.interval() <= INTERVAL_MAX);
    let first = file.iter().fold(0, |sum: usize, byte| sum.wrapping_mul(31) + usize::from(*byte));
    for stat in StatId::all().skip(first % STRIDE).step_by(STRIDE) {
        for instance in [None, Some("vda")] {
            assert_eq!(grant.permits(stat, instance), grant.explain(stat, instance).permitted);
        }
    }
}
