//! Recordings of both views.

use std::fs;
use std::time::{Duration, Instant};

use crate::host::FakeHost;
use crate::{run, tool};

const ANSWER: &str = "200-interval=1\n200-session=a\n200-host.id=df1a367eaff5239f\n200-hypervisor=kvm\n\
                      200-loadavg.1=0.42\n200-verdict.cpu=contended: your vCPUs waited 34% of the last 5 s\n\
                      200 verdict.memory=ok: nothing waited for memory\n";

#[test]
fn a_recording_has_both_views_and_is_appended_to() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("r");
    let host = FakeHost::new(|line| {
        assert_eq!(line, "get verdict *");
        ANSWER
    });
    let arguments = format!("record {} --every 1s --for 2s", file.display());
    for parts in 1..3 {
        let (status, text, errors) = run(&host, &arguments);
        assert_eq!((status, text.as_str()), (0, ""));
        let next = format!(". Next: hostinfo report {} --text\n", file.display());
        assert!(errors.contains(" sample") && errors.ends_with(&next), "{errors}");
        let text = fs::read_to_string(&file).unwrap();
        let count = |begin: &str| text.lines().filter(|line| line.starts_with(begin)).count();
        assert_eq!(
            (count("#hostinfo-recording 1"), count("h "), count("v ")),
            (parts, parts, 4 * parts)
        );
        assert!(count("s ") >= parts, "{text}");
        assert!(text.contains(" co-- - - 4 - "), "{text}");
        assert!(
            text.contains(" cpu contended your vCPUs waited 34% of the last 5 s .\n"),
            "{text}"
        );
        assert!(text.contains(" df1a367e, kvm .\n"), "{text}");
    }
}

#[test]
fn what_the_interval_does_not_allow_is_said_once_and_the_guests_own_view_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("r");
    let mut asked = 0;
    let host = FakeHost::new(move |_| {
        asked += 1;
        if asked == 1 {
            "200-interval=60\n200 verdict.cpu=unknown: ask again in 60 s\n"
        } else {
            "429 retry after 58.000 s\n"
        }
    });
    let (status, text, errors) =
        run(&host, &format!("record {} --every 1s --for 3s", file.display()));
    assert_eq!((status, text.as_str()), (0, ""));
    assert_eq!(errors.matches("may ask its host only every 1 min").count(), 1, "{errors}");
    let recorded = fs::read_to_string(&file).unwrap();
    assert!(recorded.contains(" later - - - "), "{recorded}");
}

#[test]
fn a_host_that_does_not_answer_is_no_end_of_it_and_what_cannot_be_written_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("r");
    let silent = FakeHost::raw(b"", |_| "");
    let place = file.display();
    let (status, _, errors) =
        run(&silent, &format!("record {place} --timeout 0.3 --every 1s --for 2s"));
    assert_eq!(status, 0);
    assert!(
        errors.contains("no host answers: ") && errors.contains("recorded all the same"),
        "{errors}"
    );
    assert!(fs::read_to_string(&file).unwrap().contains(" silent - - - "));

    fs::write(&file, "time,value\n").unwrap();
    let (status, _, errors) = run(&silent, &format!("record {place} --for 1s"));
    assert_eq!(status, 1);
    assert!(errors.contains("it is not a recording, and was left as it is"), "{errors}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "time,value\n");
    for wrong in ["record", "record a --json", "record a --output b", "record a --for x"] {
        assert_eq!(run(&silent, wrong).0, 2, "{wrong}");
    }
}

#[test]
fn a_recording_that_was_ended_by_force_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("r");
    let host = FakeHost::new(|_| ANSWER);
    let arguments = format!("record {} --every 1s", file.display());
    let mut child = tool(&arguments).env("HOSTINFO_DEVICE", &host.path).spawn().unwrap();
    let begin = Instant::now();
    while !fs::read_to_string(&file).is_ok_and(|text| text.contains("\ns ")) {
        assert!(begin.elapsed() < Duration::from_secs(300), "nothing is recorded");
        std::thread::sleep(Duration::from_millis(50));
    }
    let twice = run(&host, &arguments);
    assert!(twice.0 == 1 && twice.2.contains("another hostinfo record"), "{twice:?}");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(run(&host, &format!("{arguments} --for 1s")).0, 0);
}
