//! Any file is notices, or what was said of the host, that are written as they were read, or an error.
#![no_main]

use hostinfo_notices::{Declared, Notices};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| {
    if let Ok(notices) = Notices::parse(file) {
        assert_eq!(Notices::parse(&notices.to_bytes()).ok(), Some(notices));
    }
    if let Ok(declared) = Declared::parse(file) {
        assert_eq!(Declared::parse(&declared.to_bytes()).ok(), Some(declared));
    }
});
