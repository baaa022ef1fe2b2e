//! Any line is a request or malformed, and what it asks for is made of its own words.
#![no_main]

use hostinfo_wire::Request;
use hostinfo_wire::limits::TOKEN_MAX;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &[u8]| {
    match Request::parse(line) {
        Ok(Request::Get(names) | Request::Json(names)) => assert_words(names.iter(), line),
        Ok(Request::Metrics(names) | Request::List(names)) => {
            assert!(names.iter().eq(["*"]) || names.iter().next().is_some());
        }
        Ok(Request::Ping(Some(token))) => {
            assert!(token.len() <= TOKEN_MAX && token.bytes().all(|byte| byte.is_ascii_graphic()));
        }
        Ok(Request::Ping(None) | Request::Version | Request::Help | Request::Vhostmd) => {}
        Err(malformed) => assert!(!malformed.to_string().contains(['\n', '\r'])),
    }
});

fn assert_words<'a>(names: impl Iterator<Item = &'a str>, line: &[u8]) {
    let mut count = 0;
    for name in names {
        assert!(!name.is_empty() && !name.contains([' ', '\t', '\n']));
        count += 1;
    }
    assert!((1..=line.len()).contains(&count));
}
