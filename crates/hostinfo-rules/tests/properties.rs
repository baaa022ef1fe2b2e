//! Properties that hold for any file.

// Helpers of tests may do what tests may.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use hostinfo_rules::{PROBLEMS_MAX, Parsed, Problem, parse};
use proptest::prelude::*;

fn shown(problems: &[Problem]) -> Vec<String> {
    problems.iter().map(|problem| problem.show(Path::new("hostinfo.conf")).to_string()).collect()
}

/// Text that is a valid rules file more often than not.
fn nearly_a_file() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        8 => "(qemu-[a-c*?]{0,3}|\\*|[a-z]-\\[!?[a-c]{0,3}\\]?):\n",
        4 => "(qemu-\\*|\"a b\")( (a|b.c|-)=(x|\"y z\"?|[*?a-c\\[\\]]{0,3})){1,3} ?:?\n",
        8 => "  (interval|enabled|physcpus|all|vm.disk.vda|custom.x|watch|vhostmd-disk) ?=? ?([01]|5m|yes)( # x)?\n",
        2 => "\"[a-z #:=\\\\*\"-]{0,9}\"?:?\r?\n",
        1 => "\"a-\\[?[\\x01\\x1b-]{0,4}\\]\":\n",
        1 => "[ -~\t]{0,20}\n",
        1 => "\\PC{0,20}\n",
    ];
    let bytes = proptest::collection::vec(any::<u8>(), 0..8);
    let piece = prop_oneof![9 => piece.prop_map(String::into_bytes), 1 => bytes];
    proptest::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn any_bytes_are_rules_or_have_errors_in_order(
        file in prop_oneof![nearly_a_file(), proptest::collection::vec(any::<u8>(), 0..300)],
    ) {
        let lines = file.split(|byte| *byte == b'\n').count();
        let problems = match parse(&file) {
            Ok(parsed) => parsed.warnings,
            Err(errors) => {
                prop_assert!(!errors.is_empty());
                errors
            }
        };
        prop_assert!(problems.iter().all(|p| (1..=lines).contains(&p.line()) && p.column() > 0));
        prop_assert!(problems.is_sorted_by_key(|p| (p.line(), p.column())));
        for shown in shown(&problems) {
            prop_assert!(shown.lines().count() == 3, "{shown:?}");
            prop_assert!(!shown.chars().any(|c| c != '\n' && c.is_control()), "{shown:?}");
        }
    }

    #[test]
    fn the_first_rule_that_matches_decides(
        globs in proptest::collection::vec("q-[ab*?]{1,4}|\\*|[a-c]\\*", 1..8), tail in "[abc]{0,4}",
    ) {
        let mut file = String::new();
        for (at, glob) in globs.iter().enumerate() {
            writeln!(file, "{glob}:\n  interval = {at}").unwrap();
        }
        let guest = format!("q-{tail}");
        let first = globs.iter().position(|glob| matches(glob.as_bytes(), guest.as_bytes()));
        let grant = parse(file.as_bytes()).unwrap().rules.decide(&guest);
        prop_assert_eq!(grant.rule().map(|rule| rule.line), first.map(|at| 2 * at + 1));
        let seconds = first.map_or(1, |at| at as u64);
        prop_assert_eq!(grant.interval(), Duration::from_secs(seconds));
    }

    #[test]
    fn a_rule_with_a_warning_is_never_the_one_that_decides(
        globs in proptest::collection::vec("q-[ab*?]{1,4}|\\*|[a-c]\\*", 1..8),
        guests in proptest::collection::vec("q-[abc]{1,5}", 20),
    ) {
        let file: String = globs.iter().map(|glob| format!("{glob}:\n")).collect();
        let parsed = parse(file.as_bytes()).unwrap();
        for guest in guests {
            let line = parsed.rules.decide(&guest).rule().map(|rule| rule.line);
            prop_assert!(parsed.warnings.iter().all(|warning| Some(warning.line()) != line));
        }
    }
}

/// A matcher that is obviously correct: letters, `*` and `?`.
fn matches(glob: &[u8], name: &[u8]) -> bool {
    match (glob, name) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => (0..=name.len()).any(|taken| matches(rest, &name[taken..])),
        ([b'?', glob @ ..], [_, name @ ..]) => matches(glob, name),
        ([own, glob @ ..], [c, name @ ..]) => own == c && matches(glob, name),
        _ => false,
    }
}

fn timed(file: &str) -> (Duration, Result<Parsed, Vec<Problem>>) {
    let start = Instant::now();
    let parsed = parse(file.as_bytes());
    (start.elapsed(), parsed)
}

#[test]
fn five_thousand_rules_take_less_than_a_second_when_optimized() {
    let forms: [fn(usize) -> String; 3] =
        [|n| format!("qemu-web{n}"), |n| format!("*-web{n}*"), |n| format!("qemu-*{n}")];
    for form in forms {
        let mut file = String::new();
        for n in 0..5000 {
            writeln!(file, "{}:\n  interval = 60\n  all = 0\n  loadavg = 1\n", form(n)).unwrap();
        }
        file.push_str("qemu-*:\n*:\n");
        let (time, parsed) = timed(&file);
        assert_eq!(parsed.unwrap().rules.len(), 5002);
        // Without optimization it takes ten times as long, and tests share the machine.
        let bound = Duration::from_secs(if cfg!(debug_assertions) { 10 } else { 1 });
        assert!(time < bound, "{}: {time:?}", form(7));
    }
}

#[test]
fn a_hostile_file_takes_less_than_20_s_and_what_is_said_about_it_less_than_2_mb() {
    for file in [
        "intervall = 5\n".repeat(100_000),
        "\\a".repeat(200_000) + ":",
        "[a-".repeat(200_000) + ":",
        "a".repeat(1_000_000) + " = 1",
        "*:\n".repeat(50_000),
        "a-".to_owned() + &"*a".repeat(100_000) + ":\na-" + &"*b".repeat(100_000) + ":",
    ] {
        let (time, parsed) = timed(&file);
        assert!(time < Duration::from_secs(20), "{file:.20}: {time:?}");
        let problems = match parsed {
            Ok(parsed) => parsed.warnings,
            Err(errors) => errors,
        };
        assert!(problems.len() <= PROBLEMS_MAX + 1);
        let bytes: usize = shown(&problems).iter().map(String::len).sum();
        assert!(bytes < 2_000_000, "{bytes}");
    }
}
