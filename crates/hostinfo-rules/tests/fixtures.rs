//! Whole files, good and bad, and the messages about them.
//!
//! Next to `NAME.conf`, `NAME.out` holds the errors of a bad file or the warnings of a good one.
//! `UPDATE_FIXTURES=1 cargo test -p hostinfo-rules` rewrites them.

// Helpers of tests may do what tests may.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;
use std::path::{Path, PathBuf};

use hostinfo_rules::{Problem, parse};

fn files(kind: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(kind);
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        files.filter(|path| path.extension() == Some("conf".as_ref())).collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

fn compare(path: &Path, problems: &[Problem]) {
    let name = Path::new(path.file_name().unwrap());
    let shown: String =
        problems.iter().map(|problem| format!("{}\n", problem.show(name))).collect();
    let golden = path.with_extension("out");
    if std::env::var_os("UPDATE_FIXTURES").is_some() {
        fs::write(&golden, &shown).unwrap();
    }
    assert_eq!(fs::read_to_string(&golden).unwrap_or_default(), shown, "{}", path.display());
}

#[test]
fn a_bad_file_has_its_errors() {
    for path in files("bad") {
        let Err(errors) = parse(&fs::read(&path).unwrap()) else {
            panic!("{} is taken", path.display())
        };
        assert!(!errors.is_empty());
        compare(&path, &errors);
    }
}

#[test]
fn a_good_file_is_taken_with_its_warnings() {
    for path in files("good") {
        match parse(&fs::read(&path).unwrap()) {
            Ok(parsed) => compare(&path, &parsed.warnings),
            Err(errors) => panic!("{}: {errors:?}", path.display()),
        }
    }
}

#[test]
fn the_seeds_of_the_fuzzer_are_what_their_names_say() {
    for seed in fs::read_dir("../../fuzz/seeds/rules").unwrap() {
        let path = seed.unwrap().path();
        let parsed = parse(&fs::read(&path).unwrap());
        let problems = parsed.as_ref().map(|parsed| parsed.warnings.len()).map_err(Vec::len);
        let is_it = match path.file_name().unwrap().to_str().unwrap() {
            "crlf" | "example" | "patterns" | "settings" | "tags" => problems.is_ok(),
            "never-matches" => problems == Ok(2),
            "mistakes" | "intervals" => problems.is_err_and(|count| count > 2),
            "not-text" | "range-of-a-control-character" => problems == Err(1),
            other => panic!("say here what {other} is"),
        };
        assert!(is_it, "{}: {problems:?}", path.display());
    }
}
