//! `[log]` of the settings.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

/// What is logged, and where.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Log {
    /// The least severe level that is logged.
    pub(crate) level: Level,
    /// Other levels for single modules, such as `"hostinfod::server" = "debug"`.
    pub(crate) filters: BTreeMap<String, Level>,
    /// Where the log goes.
    pub(crate) output: Output,
    /// The path for `output = "file"`.
    pub(crate) file: PathBuf,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            level: Level::Info,
            filters: BTreeMap::new(),
            output: Output::Stderr,
            file: "/var/log/hostinfo/hostinfod.log".into(),
        }
    }
}

/// Severity of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    /// Nothing is logged.
    Off,
    /// Something has to be mended.
    Error,
    /// Something may have to be mended.
    Warn,
    /// Something has changed.
    Info,
    /// Why something was decided.
    Debug,
    /// Everything.
    Trace,
}

/// Where the log goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Output {
    /// Standard error.
    Stderr,
    /// systemd's journal, with fields.
    Journald,
    /// A file.
    File,
}
