//! What `fuzz/` throws bytes at. Nothing of this is in the program.
#![cfg(fuzzing)]
#![allow(dead_code, reason = "only what reads settings is looked at")]

mod args;
mod settings;
mod system {
    pub(crate) mod file_error;
}

use std::path::Path;

use settings::Settings;
use settings::at_start::AtStart;

/// Reads a file of settings. What is wrong with it is said behind the file's name; what was read is
/// what it would be at the next start, too.
pub fn settings(file: &[u8]) {
    match Settings::parse(file.to_owned(), Path::new("x.toml")) {
        Ok(settings) => assert!(AtStart::of(&settings).waiting(&settings).is_empty()),
        Err(error) => assert!(error.to_string().starts_with("x.toml: ")),
    }
}
