//! Any bytes of a scraper's are answered by HTTP, or waited for as far as a request may be long.
#![no_main]

use hostinfo_wire::http::{Asked, Hosts, REQUEST_MAX, metrics, parse, unavailable};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|request: &[u8]| {
    for hosts in [Hosts::Any, Hosts::Local] {
        match parse(request, hosts) {
            Asked::NotYet => assert!(request.len() < REQUEST_MAX),
            Asked::Malformed => {}
            Asked::Metrics(wanted) => {
                assert_head(&metrics(wanted, "x 1\n# EOF\n"));
                assert_head(&unavailable(wanted, "not now"));
            }
            Asked::Answered(answer) => assert_head(&answer),
        }
    }
});

/// Nothing of the request is in the head.
fn assert_head(answer: &[u8]) {
    let answer = std::str::from_utf8(answer).expect("an answer is text");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head ends");
    assert!(
        head.starts_with("HTTP/1.1 ") && head.ends_with("Connection: close")
            || head.contains("Allow: ")
    );
    assert!(body.is_empty() || head.contains(&format!("Content-Length: {}\r\n", body.len())));
}
