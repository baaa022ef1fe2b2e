//! Any file is settings, or an error that names it.
#![no_main]

use hostinfod_fuzzing::settings;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| settings(file));
