//! Entry points for `fuzz/`. Not part of the program.
#![cfg(fuzzing)]
#![allow(dead_code, unused_imports, reason = "only what reads settings and handovers is looked at")]

mod args;
mod handover;
mod settings;
mod stream;
mod audit {
    pub(crate) mod quota;
}
mod metrics {
    pub(crate) mod tally;
}
mod port {
    pub(crate) mod vsock_domain;
}
mod system {
    pub(crate) mod descriptors;
    pub(crate) mod file_error;
    pub(crate) mod file_id;
}

use std::path::Path;

use handover::Handover;
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

/// Parses the document of a handover. One that is accepted is accepted again after it was written.
pub fn handover(document: &[u8]) {
    let Ok(handover) = Handover::parse(document) else { return };
    let written = serde_json::to_vec(&handover).unwrap_or_default();
    assert!(Handover::parse(&written).is_ok());
}
