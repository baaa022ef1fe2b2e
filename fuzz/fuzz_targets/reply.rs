//! Any bytes from a host are the answer to what the guest's tool asked, or nothing that it believes.
#![no_main]

use hostinfo_fuzzing::reply;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| reply(bytes));
