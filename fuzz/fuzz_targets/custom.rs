//! Any text is definitions that can be shown and run, or problems that a log can show.
#![no_main]

use std::path::Path;

use hostinfo_catalog::metric::Metric;
use hostinfo_catalog::{Kind, Unit};
use hostinfo_custom::limits::{
    EVERY_MAX, EVERY_MIN, NAME_MAX, PROBLEMS_MAX, TIMEOUT_MAX, TIMEOUT_MIN,
};
use hostinfo_custom::{Accounts, Definition, Power, Source, parse};
use hostinfo_wire::name::is_name;
use libfuzzer_sys::fuzz_target;

const PASSWD: &str = "root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/\nbackup:x:34:34::/:/\n";

fuzz_target!(|text: &str| {
    match parse(text, Path::new("x.toml"), &Accounts::parse(PASSWD, Power::Anybody)) {
        Ok(definitions) => {
            for (definition, line) in &definitions {
                assert!((1..=text.split('\n').count()).contains(line));
                check(definition);
            }
        }
        Err(problems) => {
            assert!((1..=PROBLEMS_MAX).contains(&problems.len()));
            for problem in problems {
                let shown = problem.to_string();
                assert!(!shown.contains(char::is_control), "{shown:?}");
            }
        }
    }
});

fn check(definition: &Definition) {
    let Definition { name, about, source, every, timeout, user, account, .. } = definition;
    assert!(is_name(name) && name.len() <= NAME_MAX && !name.contains(char::is_uppercase));
    assert!(!about.help.is_empty() && !about.help.contains(char::is_control));
    assert!(about.kind != Kind::Info || about.unit == Unit::None);
    assert!((EVERY_MIN..=EVERY_MAX).contains(every));
    assert!((TIMEOUT_MIN..=TIMEOUT_MAX).contains(timeout));
    match source {
        Source::File(path) => {
            assert!(path.starts_with('/'));
            assert!(account.is_some_and(|account| account.uid != 0 && account.gid != 0));
        }
        Source::Command(words) => {
            assert!(words[0].starts_with('/') && account.is_none());
            assert!(user.as_ref().is_none_or(|user| user != "root"));
        }
    }
    assert_eq!(definition.fingerprint().len(), 64);
    let metric = Metric::of_custom(name, about.kind, about.unit);
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    assert!(metric.names().iter().all(|name| name.chars().all(is_word)));
}
