//! Whatever two guests send, in whatever pieces and at whatever times, each of them gets whole replies of
//! what it may see.
#![no_main]

#[path = "../../crates/hostinfo-answer/tests/whole_way/check.rs"]
mod check;
#[path = "../../crates/hostinfo-answer/tests/whole_way/script.rs"]
mod script;
#[allow(dead_code, reason = "one test alone asks for previews")]
#[path = "../../crates/hostinfo-answer/tests/whole_way/world.rs"]
mod world;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|script: &[u8]| {
    script::run(script);
});
