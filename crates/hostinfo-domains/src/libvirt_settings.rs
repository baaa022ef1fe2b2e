//! `[libvirt]` of hostinfod.toml, which the daemon and the administrator's tool read.

use serde::Deserialize;

/// How libvirt is asked.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LibvirtSettings {
    /// Whether it is asked at all.
    pub enabled: bool,
    /// libvirt's URI.
    pub uri: String,
    /// Whether a socket that no running domain names is refused.
    pub required: bool,
    /// Whether guests are also served over libvirt's own channels for vhostmd's clients.
    pub vhostmd_channels: bool,
}

impl Default for LibvirtSettings {
    fn default() -> Self {
        let uri = crate::URI.into();
        Self { enabled: true, uri, required: false, vhostmd_channels: false }
    }
}
