use super::value::name;
use super::*;

fn parse(line: &str) -> Result<Args, clap::Error> {
    super::parse(std::iter::once("hostinfo").chain(line.split_whitespace()), None)
}

#[test]
fn the_command_line_is_one_that_clap_finds_consistent() {
    command().debug_assert();
}

#[test]
fn options_may_stand_before_and_behind_the_command() {
    for line in ["--json get physcpus", "get physcpus --format json"] {
        assert_eq!(parse(line).unwrap().options.format(), Format::Json, "{line}");
    }
}

#[test]
fn names_without_a_command_are_those_of_get() {
    let args = parse("loadavg --json vm.cpu").unwrap();
    assert_eq!(args.names, ["loadavg", "vm.cpu"]);
    assert_eq!(args.options.format(), Format::Json);
    assert!(args.command.is_none());
}

#[test]
fn a_misspelt_name_is_compared_with_every_command() {
    let mut command = command();
    command.build();
    let all = command.get_subcommands().map(|command| command.get_name().to_owned());
    assert_eq!(all.collect::<Vec<_>>(), commands());
}

#[test]
fn help_of_a_command_shows_only_what_it_takes_and_says_how_often_it_does_it() {
    let help = |name: &str| {
        let mut command = command();
        command.build();
        let own = command.find_subcommand_mut(name).unwrap();
        own.render_long_help().to_string()
    };
    for (name, refused) in [("top", "--json"), ("record", "--output"), ("report", "--device")] {
        assert!(!help(name).contains(refused), "{}", help(name));
    }
    assert!(help("record").contains("[default: 10s]") && help("top").contains("[default: 2s]"));
    assert!(help("get").contains("--json") && help("ping").contains("--json"));
    assert!(!help("report").contains("--every"));
    let args = parse("record a --every 5s --device x").unwrap().options;
    assert_eq!((args.every, args.device), (Some(Duration::from_secs(5)), Some("x".into())));
    assert!(parse("--json record a").unwrap().options.json, "it is refused with a reason");
}

#[test]
fn help_and_the_command_line_have_only_the_formats_that_a_command_has() {
    for (name, has, has_not) in [
        ("get", "prometheus", "nagios"),
        ("list", "json", "prometheus"),
        ("ping", "json", "openmetrics"),
        ("diagnose", "nagios", "openmetrics"),
    ] {
        let help = parse(&format!("{name} --help")).unwrap_err().to_string();
        assert!(help.contains(has) && !help.contains(has_not), "{help}");
        let name = if name == "get" { "get x" } else { name };
        assert!(parse(&format!("{name} --format {has}")).is_ok(), "{name}");
        assert!(parse(&format!("{name} --format {has_not}")).is_err(), "{name}");
    }
}

#[test]
fn help_fits_into_80_columns_and_no_example_is_broken_in_two() {
    for command in commands() {
        let help = super::parse(["hostinfo", command, "--help"], Some(80)).unwrap_err().to_string();
        for line in help.lines() {
            assert!(line.len() <= 80, "{line}");
        }
    }
    for text in [EXAMPLES, GET, LIST, PING, DIAGNOSE, TOP, RECORD, REPORT, SERVE] {
        for line in text.lines().filter(|line| line.starts_with("  ")) {
            assert!(line.len() < 80, "{line}");
        }
    }
}

#[test]
fn help_has_help() {
    let help = |line: &str| parse(line).unwrap_err();
    for line in ["help --help", "help -h", "help help", "help list --help"] {
        assert!(!help(line).use_stderr(), "{line}");
    }
    assert_eq!(help("help list -h").to_string(), help("help list").to_string());
    assert!(help("diagnose --help").to_string().contains("4 too soon to ask"));
}

#[test]
fn a_word_that_cannot_stand_in_a_request_is_no_name() {
    for word in ["", "a b", "a\nping", "GET /metrics/XML", "a..b", "**", ".*", "\u{ff}"] {
        assert!(name(word).is_err(), "{word:?}");
    }
    for word in ["*", "memory", "vm.disk.vda.read.bytes", "session.*"] {
        assert!(name(word).is_ok(), "{word:?}");
    }
}

#[test]
fn get_needs_a_name_and_a_timeout_is_a_time_as_all_others_are_written() {
    for line in ["get", "--timeout 0", "--timeout -1", "--timeout x", "--timeout inf", "--frob"] {
        assert!(parse(line).is_err(), "{line}");
    }
    for (text, millis) in [("0.25", 250), ("5s", 5000), ("500ms", 500), ("1m", 60_000)] {
        let timeout = parse(&format!("--timeout {text}")).unwrap().options.timeout;
        assert_eq!(timeout, Duration::from_millis(millis), "{text}");
    }
}
