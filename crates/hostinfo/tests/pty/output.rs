//! Answers that are written to a file, and answers that are repeated.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use crate::host::FakeHost;
use crate::{run, tool};

#[test]
fn a_file_is_replaced_as_a_whole_and_stays_as_it_was_where_no_host_answers() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("host.prom");
    let within =
        |timeout| format!("--format prometheus --timeout {timeout} --output {}", file.display());
    let host = FakeHost::new(|_| "200 loadavg.1=0.42\n");
    assert_eq!(run(&host, &within("60")), (0, String::new(), String::new()));
    let written = fs::read_to_string(&file).unwrap();
    assert!(written.ends_with("hostinfo_loadavg_1 0.42\n"), "{written}");
    for silent in [FakeHost::raw(b"", |_| ""), FakeHost::new(|_| "429 retry after 9.000 s\n")] {
        assert_ne!(run(&silent, &within("0.5")).0, 0);
        assert_eq!(fs::read_to_string(&file).unwrap(), written);
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn help_that_cannot_be_written_is_an_error() {
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    assert_eq!(tool("--help").stdout(full).stderr(Stdio::null()).status().unwrap().code(), Some(1));
}

#[test]
fn again_and_again_is_a_line_of_json_each_time_until_nobody_reads_any_more() {
    let mut asked = 0;
    let host = FakeHost::new(move |_| {
        asked += 1;
        match asked {
            2 => "429 retry after 0.100 s\n".to_owned(),
            _ => format!("200 {{\"physcpus\":{asked}}}\n"),
        }
    });
    let mut child = tool("--json physcpus --every 1s")
        .env("HOSTINFO_DEVICE", &host.path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let told: Vec<String> = lines.by_ref().take(3).map(Result::unwrap).collect();
    assert_eq!(told, ["{\"physcpus\":1}", "{\"physcpus\":3}", "{\"physcpus\":4}"]);
    drop(lines);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
