//! Any line between hostinfod and its helper is a message that can be said again, or an error.
#![no_main]

use hostinfo_domains::{ask, message, to_line};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &[u8]| {
    if let Ok(heard) = message(line)
        && let Some(said) = to_line(&heard)
    {
        assert_eq!(message(&said).ok(), Some(heard));
    }
    if let Ok(heard) = ask(line)
        && let Some(said) = to_line(&heard)
    {
        assert_eq!(ask(&said).ok(), Some(heard));
    }
});
