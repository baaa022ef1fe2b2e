//! The tool's output for various answers, and its exit status.

use crate::host::FakeHost;
use crate::{run, said, tool};

const LIST: &str = "\
200-time gauge seconds the host's clock
200-loadavg.1 gauge - load average of the host over 1 minute
200-memory.total gauge bytes memory of the host
200 verdict.cpu info - CPU of the last minute
";

fn host() -> FakeHost {
    FakeHost::new(|line| match line.split_once(' ').map(|(_, name)| name) {
        Some("loadavg.1 memroy.total") => {
            "200 {\"loadavg.1\":0.42,\"errors\":{\"memroy.total\":404}}\n".to_owned()
        }
        Some(word @ ("memroy.total" | "lsit" | "verdict.cup" | "xyzzy")) => {
            format!("404 {word}: no such statistic\n")
        }
        _ => answer(line).to_owned(),
    })
}

fn answer(line: &str) -> &'static str {
    match line {
        "list" => LIST,
        "list memory" => "200 memory.total gauge bytes memory of the host\n",
        "get *" => {
            "200-time=1763794623.5\n200-loadavg.1=0.42\n200-memory.total=16773406720\n200 verdict.cpu=ok\n"
        }
        "get loadavg.1 physcpus" => "200-loadavg.1=0.42\n200 physcpus=64\n",
        "get loadavg.1 host.name swap" => {
            "200-loadavg.1=0.42\n403-host.name: not permitted\n503 swap: this host has no swap\n"
        }
        "get host.name" | "json host.name" => "403 host.name: not permitted\n",
        "json loadavg.1 host.name" => "200 {\"loadavg.1\":0.42,\"errors\":{\"host.name\":403}}\n",
        "json *" => "200 {\"loadavg.1\":0.42}\n",
        "get loadavg.1 host.name" => "200-loadavg.1=0.42\n403 host.name: not permitted\n",
        "get lsit xyzzy" => "404-lsit: no such statistic\n404 xyzzy: no such statistic\n",
        "version" => "200 hostinfo/1\n",
        _ => "404 x: no such statistic\n",
    }
}

#[test]
fn all_of_it_is_a_table_with_units_that_a_person_reads() {
    assert_eq!(
        run(&host(), "--all"),
        (
            0,
            "verdict.cpu   ok\n\
             time          2025-11-22 06:57:03 UTC  the host's clock\n\
             loadavg.1     0.42                     load average of the host over 1 minute\n\
             memory.total  15.6 GiB                 memory of the host\n"
                .to_owned(),
            String::new()
        )
    );
}

#[test]
fn answers_are_on_stdout_and_refusals_on_stderr() {
    let host = host();
    assert_eq!(
        run(&host, "get loadavg.1 physcpus"),
        (0, "loadavg.1=0.42\nphyscpus=64\n".to_owned(), String::new())
    );
    assert_eq!(
        run(&host, "get loadavg.1 host.name swap"),
        (
            3,
            "loadavg.1=0.42\n".to_owned(),
            "hostinfo: host.name: not permitted (403: by the host's rules; hostinfo list shows what is)\nhostinfo: swap: this host has no swap\n"
                .to_owned()
        )
    );
    assert_eq!(
        run(&host, "get host.name"),
        (3, String::new(), "hostinfo: host.name: not permitted (403: by the host's rules; hostinfo list shows what is)\n".to_owned())
    );
}

#[test]
fn a_name_alone_is_asked_for_as_get_does() {
    let host = host();
    assert_eq!(run(&host, "loadavg.1 physcpus"), run(&host, "get loadavg.1 physcpus"));
    assert_eq!(run(&host, "--json loadavg.1 host.name").0, 3);
}

#[test]
fn a_misspelt_name_or_command_gets_the_nearest_one() {
    let host = host();
    for (word, meant) in [("memroy.total", "memory.total"), ("verdict.cup", "verdict.cpu")] {
        let (status, text, errors) = run(&host, word);
        assert_eq!((status, text.as_str()), (3, ""));
        let told = format!("hostinfo: {word}: no such statistic; did you mean {meant}?\n");
        assert_eq!(errors, told);
    }
    for arguments in ["lsit", "lsit xyzzy", "--json lsit"] {
        let told = "hostinfo: lsit: no such command or statistic; did you mean hostinfo list?\n";
        let (status, text, errors) = said(tool(arguments).output().unwrap());
        assert_eq!((status, text.as_str(), errors.as_str()), (2, "", told), "no host is asked");
    }
    let told = "hostinfo: memroy.total: no such statistic; did you mean memory.total?\n";
    for (arguments, answer) in [
        ("list memroy.total", ""),
        ("--json memroy.total", "{\"errors\":{\"memroy.total\":404}}\n"),
        (
            "--json loadavg.1 memroy.total",
            "{\"loadavg.1\":0.42,\"errors\":{\"memroy.total\":404}}\n",
        ),
        ("--format openmetrics memroy.total", ""),
        ("--format prometheus memroy.total", ""),
    ] {
        let answer = (3, answer.to_owned(), told.to_owned());
        assert_eq!(run(&host, arguments), answer, "{arguments}");
    }
    let (_, _, errors) = run(&host, "get xyzzy");
    assert_eq!(errors, "hostinfo: xyzzy: no such statistic\n");
}

#[test]
fn a_bad_value_is_named_in_one_line_with_what_the_option_takes() {
    for (arguments, told) in [
        (
            "--timeout x",
            "hostinfo: invalid value 'x' for '--timeout <TIME>': a time from 1ms to 1h, such as 5, 0.5s or 500ms\n",
        ),
        (
            "get physcpus --format jsn",
            "hostinfo: invalid value 'jsn' for '--format <FORMAT>'; possible values: text, json, openmetrics, \
             prometheus; a similar value exists: 'json'\n",
        ),
    ] {
        let answer = (2, String::new(), told.to_owned());
        assert_eq!(said(tool(arguments).output().unwrap()), answer, "{arguments}");
    }
}

#[test]
fn a_misspelt_option_gets_the_one_with_its_letters() {
    for (arguments, meant) in [("diagnose --fro 5s", "--for"), ("diagnose --jsno", "--json")] {
        let (status, text, errors) = said(tool(arguments).output().unwrap());
        assert_eq!((status, text.as_str()), (2, ""));
        let told = format!(
            "  tip: a similar argument exists: '{meant}'\n\nUsage: hostinfo diagnose [OPTIONS]"
        );
        assert!(errors.contains(&told), "{errors}");
    }
}

#[test]
fn a_misspelt_command_after_help_gets_the_nearest_one_and_a_statistic_its_list() {
    for (word, meant) in [
        ("lsit", "did you mean hostinfo help list?"),
        ("loadavg", "it is a statistic or a group: see hostinfo list loadavg"),
    ] {
        let (status, text, errors) = said(tool(&format!("help {word}")).output().unwrap());
        assert_eq!((status, text.as_str()), (2, ""));
        let told = format!("hostinfo: unrecognized subcommand '{word}'; {meant}\n");
        assert!(errors.starts_with(&told), "{errors}");
    }
    let (status, _, errors) = said(tool("help xyzzy").output().unwrap());
    assert!(status == 2 && errors.starts_with("hostinfo: unrecognized subcommand 'xyzzy'\n"));
}

#[test]
fn json_is_one_object_with_the_errors_in_it() {
    let host = host();
    assert_eq!(
        run(&host, "--json get loadavg.1 host.name"),
        (3, "{\"loadavg.1\":0.42,\"errors\":{\"host.name\":403}}\n".to_owned(), String::new())
    );
    assert_eq!(
        run(&host, "get --format json host.name"),
        (3, "{\"errors\":{\"host.name\":403}}\n".to_owned(), String::new())
    );
    assert_eq!(run(&host, "--json"), (0, "{\"loadavg.1\":0.42}\n".to_owned(), String::new()));
}

#[test]
fn a_list_is_a_table_or_an_array() {
    let host = host();
    assert_eq!(
        run(&host, "list memory"),
        (
            0,
            "memory.total  gauge  bytes  memory of the host  hostinfo_memory_total_bytes\n"
                .to_owned(),
            String::new()
        )
    );
    let (status, json, _) = run(&host, "list --json");
    let rows: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((status, rows.as_array().unwrap().len()), (0, 4));
    assert_eq!(
        (&rows[2]["unit"], &rows[2]["metric"]),
        (&"bytes".into(), &"hostinfo_memory_total_bytes".into())
    );
    assert_eq!(run(&host, "list --format openmetrics").0, 2);
}

#[test]
fn a_ping_tells_the_port_and_the_time() {
    let host = host();
    let (status, text, _) = run(&host, "ping");
    assert_eq!(status, 0);
    assert!(text.starts_with(&format!("hostinfo/1 answers on {} in ", host.path.display())));
    let (_, json, _) = run(&host, "ping --json");
    let pong: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(pong["seconds"].as_f64().unwrap() > 0.0);
}

#[test]
fn openmetrics_is_made_of_the_hosts_values_and_a_refused_name_is_told() {
    let (status, text, errors) = run(&host(), "--format openmetrics get loadavg.1 host.name");
    assert_eq!(
        text,
        "# TYPE hostinfo_loadavg_1 gauge\n# HELP hostinfo_loadavg_1 load average of the host over 1 minute\nhostinfo_loadavg_1 0.42\n# EOF\n"
    );
    assert_eq!(
        (status, errors.as_str()),
        (
            3,
            "hostinfo: host.name: not permitted (403: by the host's rules; hostinfo list shows what is)\n"
        )
    );
}

#[test]
fn a_guest_that_may_not_ask_is_told_so() {
    let host = FakeHost::new(|line| match line {
        "list" => "403 list: not permitted\n",
        _ => "403 this guest may not ask\n",
    });
    let blocked = "this guest may not ask. Ask whoever runs the host";
    let nothing = "this guest may see nothing of its host. Ask whoever runs the host";
    for (arguments, told) in [
        ("", blocked),
        ("--all", nothing),
        ("get *", blocked),
        ("--json", blocked),
        ("--format prometheus", blocked),
        ("list", nothing),
    ] {
        let (status, text, errors) = run(&host, arguments);
        assert!(status == 3 && errors.starts_with(&format!("hostinfo: {told}")), "{errors}");
        assert_eq!(errors.lines().count(), 1, "{errors}");
        assert_eq!(text.trim_end(), "", "{arguments}");
    }
}

#[test]
fn the_option_goes_before_the_environment() {
    let host = host();
    let mut command = tool("get loadavg.1 physcpus --device");
    let output = command.arg(&host.path).env("HOSTINFO_DEVICE", "/nowhere").output().unwrap();
    assert_eq!(said(output).0, 0);
}

#[test]
fn a_wrong_command_line_is_status_2_and_reaches_no_host() {
    let host = FakeHost::raw(b"", |line| -> &str { panic!("the tool sent {line}") });
    let wrong = ["--frob", "get", "get a..b", "a..b", "--timeout 0", "--json --format text"];
    for arguments in wrong.into_iter().chain(["--all ping", "--all top", "--all report no.rec"]) {
        assert_eq!(run(&host, arguments).0, 2, "{arguments}");
    }
    for (arguments, told) in [
        ("--frob", "hostinfo: unexpected argument '--frob' found\n"),
        ("get", "\nExample: hostinfo get loadavg.1\n"),
        ("--all memory", "leave it out for a part: hostinfo memory\n"),
    ] {
        let (status, _, errors) = run(&host, arguments);
        assert_eq!(status, 2);
        assert!(errors.starts_with("hostinfo: ") && errors.contains(told), "{errors}");
    }
    let output = tool("get").arg("a\nping").env("HOSTINFO_DEVICE", &host.path).output().unwrap();
    assert_eq!(said(output).0, 2);
    let (_, _, errors) = run(&host, "get");
    assert!(errors.contains("Usage: hostinfo get <NAME>...\n"), "{errors}");
    let many = "memory.total ".repeat(100);
    assert_eq!(run(&host, &format!("get {many}")).0, 2);
}
