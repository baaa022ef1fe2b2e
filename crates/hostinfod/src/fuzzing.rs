//! Entry points for `fuzz/`. Not part of the program.
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

/// Parses a settings file. Errors must name the file, and settings that were read must be the same
/// if they are read again at the next start.
pub fn settings(file: &[u8]) {
    match Settings::parse(file.to_owned(), Path::new("x.toml")) {
        Ok(settings) => assert!(AtStart::of(&settings).waiting(&settings).is_empty()),
        Err(error) => assert!(error.to_string().starts_with("x.toml: ")),
    }
}
