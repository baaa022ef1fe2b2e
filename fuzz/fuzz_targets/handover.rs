//! Any document is what a daemon goes on with, or an error.
#![no_main]

use hostinfod_fuzzing::handover;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|document: &[u8]| handover(document));
