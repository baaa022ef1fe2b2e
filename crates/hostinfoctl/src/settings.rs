//! What this program needs of the daemon's settings.

use std::io;
use std::path::PathBuf;

use hostinfo_domains::{LibvirtSettings, TagSettings};
use hostinfo_file::SETTINGS_MAX;
use serde::Deserialize;

use crate::args::{CONTROL, Options};
use crate::exit::Failure;

/// Some of the settings.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {
    pub(crate) tags: TagSettings,
    pub(crate) libvirt: LibvirtSettings,
    pub(crate) vsock: Vsock,
    pub(crate) control: Control,
}

/// `[vsock]`
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Vsock {
    pub(crate) enabled: bool,
}

/// `[control]`
#[derive(Deserialize)]
#[serde(default)]
pub(crate) struct Control {
    pub(crate) socket: PathBuf,
}

impl Default for Control {
    fn default() -> Self {
        Self { socket: PathBuf::from(CONTROL) }
    }
}

/// Reads them; the defaults if there is no file.
///
/// # Errors
/// The file cannot be read, or has errors.
pub(crate) fn read(options: &Options) -> Result<Settings, Failure> {
    let path = options.config.display();
    let refused = |error: &dyn std::fmt::Display| Failure::Refused(format!("{path}: {error}"));
    let text = hostinfo_file::read(&options.config, SETTINGS_MAX).map_err(io::Error::from);
    let Some(text) = text.map_err(|error| refused(&error))? else {
        return Ok(Settings::default());
    };
    let text = String::from_utf8(text).map_err(|error| refused(&error))?;
    toml::from_str(&text).map_err(|error| refused(&error))
}
