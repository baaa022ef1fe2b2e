//! Reports of recordings.

use std::fs;

use crate::{said, tool};

const RECORDING: &str = "\
#hostinfo-recording 1
#columns waited throttled steal busy
h 1795852940 df1a367e kvm .
s 1795852940 oo-- 5 0 0 400 .
s 1795852950 co-- 340 0 310 990 .
v 1795852950 cpu contended your vCPUs waited 34% <of the last 60 s> .
s 1795852960 co-- 330 0 300 990 .
s 17958529";

fn report(arguments: &str) -> (i32, String, String) {
    said(tool(&format!("report {arguments}")).output().unwrap())
}

#[test]
fn a_page_goes_where_it_is_wanted_and_the_text_says_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let (file, page) = (folder.path().join("r"), folder.path().join("r.html"));
    fs::write(&file, RECORDING).unwrap();
    let file = file.display();
    let (status, html, errors) = report(&file.to_string());
    assert_eq!((status, errors.as_str()), (0, ""));
    assert!(html.starts_with("<!doctype html>\n") && html.ends_with("</html>\n"));
    let told = "The host gave this guest less CPU time than it wanted for 20 s (67%).";
    assert!(html.contains(told) && html.contains("34% &lt;of the last 60 s&gt;"), "{html}");
    assert_eq!(
        report(&format!("{file} --output {}", page.display())),
        (0, String::new(), String::new())
    );
    assert_eq!(fs::read_to_string(page).unwrap(), html);
    let (status, _, errors) = report(&format!("{file} --output {file}"));
    assert!(status == 2 && errors.contains("take the recording's place"), "{errors}");
    let (_, text, _) = report(&format!("{file} --text"));
    assert!(text.contains(told) && text.contains("34% <of the last 60 s>"), "{text}");
    assert!(text.ends_with("1 line could not be read and was left out.\n"), "{text}");
}

#[test]
fn a_foreign_file_and_an_empty_recording_are_errors_that_say_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("r");
    let head = RECORDING.lines().next().unwrap();
    for (content, told) in [
        ("time,value\n", "it is not a recording made by hostinfo record"),
        (head, "it holds no sample: it was cut off, or has only begun"),
    ] {
        fs::write(&file, content).unwrap();
        let (status, text, errors) = report(&file.display().to_string());
        assert_eq!((status, text.as_str()), (1, ""));
        assert!(errors.contains("cannot read ") && errors.contains(told), "{errors}");
    }
    let missing = report("/no/such").2;
    assert_eq!(missing, "hostinfo: cannot read /no/such: No such file or directory\n");
    assert_eq!(report(&format!("{} --json", file.display())).0, 2);
}
