use super::*;
use crate::account::Power;
use crate::definition::{Scope, Source};
use crate::limits::EVERY_DEFAULT;
use hostinfo_catalog::Unit;
use proptest::prelude::*;
use std::time::Duration;

const PASSWD: &str = "root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/\nbackup:x:34:34::/:/\n";

fn parse(text: &str) -> Result<Vec<(Definition, usize)>, Vec<String>> {
    super::parse(text, Path::new("x.toml"), &Accounts::parse(PASSWD, Power::Anybody))
        .map_err(|problems| problems.iter().map(Problem::to_string).collect())
}

/// The only problem of a definition with these lines.
fn problem(lines: &str) -> String {
    match parse(&format!("[custom.a]\n{lines}")).unwrap_err().as_slice() {
        [one] => one.clone(),
        several => panic!("{several:?}"),
    }
}

const GOOD: &str = "kind = \"gauge\"\nhelp = \"h\"\n";

#[test]
fn the_example_of_the_documentation_is_taken() {
    let example: String = include_str!("../../../../docs/custom.md")
        .lines()
        .skip_while(|line| *line != "```toml")
        .skip(1)
        .take_while(|line| *line != "```")
        .map(|line| format!("{line}\n"))
        .collect();
    let definitions = parse(&example).unwrap();
    let [(age, _), (temperature, line)] = definitions.as_slice() else { panic!("{definitions:?}") };
    assert_eq!((temperature.name.as_str(), *line), ("rack.temperature", 1));
    assert_eq!(temperature.source, Source::File("/run/rack/inlet".to_owned()));
    assert_eq!(temperature.every, Duration::from_secs(30));
    assert_eq!((age.scope, age.about.unit), (Scope::Guest, Unit::Seconds));
    assert_eq!((age.every, age.timeout), (EVERY_DEFAULT, Duration::from_secs(5)));
    assert_eq!((age.user.as_deref(), age.account), (Some("backup"), None));
    assert_eq!(temperature.account.unwrap().uid, 65_534);
}

#[test]
fn a_name_may_have_other_names_below_it() {
    let text = format!(
        "[custom.rack]\n{GOOD}file='/a'\n[custom.rack.Fan]\n{GOOD}file='/b'\n[custom.z]\n{GOOD}file='/c'\n"
    );
    let names: Vec<String> = parse(&text).unwrap().into_iter().map(|(d, _)| d.name).collect();
    assert_eq!(names, ["rack", "rack.fan", "z"]);
}

#[test]
fn each_mistake_is_told_with_its_line() {
    for (lines, line, words) in [
        ("kind = 'gage'", 2, "expected one of \"info\", \"gauge\", \"counter\""),
        ("kind = 1", 2, "expected one of"),
        ("unit = 'MB'", 2, "\"bytes\""),
        ("\n\ncolour = 1", 4, "unknown key `colour`: expected `kind`"),
        ("help = \"a\\nb\"", 2, "one line"),
        ("file = 'a/b'", 2, "begins with `/`"),
        ("command = '/bin/x y'", 2, "list of words"),
        ("command = []", 2, "list of words"),
        ("command = ['x']", 2, "absolute path"),
        ("command = ['/x', 1]", 2, "in quotes"),
        ("command = ['/x', \"a\\u0000\"]", 2, "in quotes"),
        ("command = ['/{guest}']", 2, "absolute path"),
        ("every = '10ms'", 2, "1s to 86400s"),
        ("every = 10", 2, "expected a time"),
        ("timeout = '1h'", 2, "100ms to 30s"),
        ("user = 7", 2, "in quotes"),
    ] {
        let problem = problem(lines);
        assert!(problem.starts_with(&format!("x.toml:{line}: ")), "{problem}");
        assert!(problem.contains(words), "{lines}: {problem}");
    }
}

#[test]
fn settings_that_are_missing_or_do_not_go_together_are_reported_at_the_name() {
    for (lines, words) in [
        ("", "`kind` is missing"),
        ("kind = 'gauge'", "`help` is missing"),
        ("kind='info'\nhelp='h'\nunit='bytes'\nfile='/a'", "no unit"),
        (GOOD, "either `file` or `command`"),
        (&format!("{GOOD}file='/a'\ncommand=['/a']"), "either `file` or `command`"),
        (&format!("{GOOD}file='/a'\ntimeout='1s'"), "for a command"),
        (&format!("{GOOD}command=['/a','{{guest}}']"), "needs scope"),
        (&format!("{GOOD}command=['/a','--g={{guest}}']\nscope='guest'"), "stands alone"),
        (&format!("{GOOD}file='/a/{{guest}}.txt'\nscope='guest'"), "stands alone"),
        (&format!("{GOOD}file='/a'\nscope='guest'"), "needs the word `{guest}`"),
        (&format!("{GOOD}file='/a'\nuser='root'"), "unprivileged"),
        (&format!("{GOOD}file='/a'\nuser='ghost'"), "no user `ghost`"),
        (&format!("{GOOD}command=['/a']\nuser='root'"), "unprivileged"),
        (&format!("{GOOD}command=['/a']\nuser='ghost'"), "no user `ghost`"),
    ] {
        let problem = problem(lines);
        assert!(problem.starts_with("x.toml:1: custom.a: "), "{problem}");
        assert!(problem.contains(words), "{lines}: {problem}");
    }
}

#[test]
fn all_mistakes_of_a_file_are_told_in_the_order_of_their_lines() {
    let text = "[custom.b]\nkind = 'x'\nunit = 'y'\n[custom.a]\n[rack]\n[custom.'ü']\n";
    let problems = parse(text).unwrap_err();
    let lines: Vec<&str> = problems.iter().filter_map(|p| p.split(':').nth(1)).collect();
    assert_eq!(lines, ["2", "3", "4", "5", "6"]);
}

#[test]
fn names_that_differ_in_case_alone_are_one() {
    let text = format!("[custom.a]\n{GOOD}file='/a'\n[custom.A]\n{GOOD}file='/b'\n");
    assert_eq!(parse(&text).unwrap_err(), ["x.toml:1: custom.a: is already defined in line 5"]);
}

#[test]
fn a_file_that_is_nothing_but_mistakes_tells_the_first_of_them() {
    let problems = parse(&"\"\n".repeat(9_999));
    assert_eq!(problems.unwrap_err().len(), PROBLEMS_MAX);
}

#[test]
fn a_text_that_is_no_toml_or_has_no_such_table_is_a_mistake() {
    for text in [
        "[custom.a",
        "x = 1",
        "custom = 1",
        "[custom]\na = 1",
        "[[custom.a]]",
        "[custom.'a b']",
        "[custom.a]\n[custom.a]",
        "[custom.'a.b']",
    ] {
        assert!(parse(text).is_err(), "{text}");
    }
    assert!(parse(&format!("[custom.{}]", "x".repeat(NAME_MAX + 1))).is_err());
    assert_eq!(parse("").unwrap(), []);
}

#[test]
fn the_seeds_of_the_fuzzer_are_what_their_names_say() {
    for seed in std::fs::read_dir("../../fuzz/seeds/custom").unwrap() {
        let path = seed.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let found = parse(&text);
        let is_it = match path.file_name().unwrap().to_str().unwrap() {
            "example" => found.as_ref().is_ok_and(|definitions| definitions.len() > 1),
            "mistakes" => found.as_ref().is_err_and(|problems| problems.len() > 3),
            other => panic!("say here what {other} is"),
        };
        assert!(is_it, "{}: {found:?}", path.display());
    }
}

proptest! {
    #[test]
    fn any_text_has_an_answer(text in "\\PC{0,80}|([\\[\\]a-z{}.='\",0-9 \n]{0,80})") {
        let _ = parse(&text);
    }

    #[test]
    fn nearly_right_text_has_definitions_or_problems_with_a_line_of_the_file(
        lines in prop::collection::vec(prop::sample::select(vec![
            "[custom.a]", "[custom.a.b]", "[custom]", "kind = 'info'", "kind = 'gauge'", "help = 'h'",
            "unit = 'bytes'", "scope = 'guest'", "file = '/{guest}'", "file = '/a'",
            "command = ['/a', '{guest}']", "every = '1m'", "timeout = '1s'", "user = 'backup'", "x", "",
        ]), 0..12),
    ) {
        match super::parse(&lines.join("\n"), Path::new("x"), &Accounts::parse(PASSWD, Power::Anybody)) {
            Ok(definitions) => for (definition, line) in definitions {
                let end = definition.name + "]";
                prop_assert!(lines[line - 1].ends_with(&end));
            },
            Err(problems) => {
                prop_assert!(!problems.is_empty());
                for problem in problems {
                    prop_assert!(problem.line.is_some_and(|line| line <= lines.len()));
                }
            }
        }
    }
}
