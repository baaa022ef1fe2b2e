//! `[vsock]` of the settings: guests that connect by AF_VSOCK.

use hostinfo_open::Enabled;
use serde::Deserialize;

/// The port that `hostinfo` in a guest connects to.
const PORT: u32 = 4678;

/// Guests that connect by AF_VSOCK.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Vsock {
    /// Whether the daemon listens.
    pub(crate) enabled: bool,
    /// At which port.
    pub(crate) port: u32,
    /// Who may ask without a hostinfo port of its own.
    pub(crate) guests: Enabled,
}

impl Default for Vsock {
    fn default() -> Self {
        Self { enabled: false, port: PORT, guests: Enabled::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vsock_is_off_and_enables_nobody_unless_the_settings_say_so() {
        let vsock: Vsock = toml::from_str("").unwrap();
        assert_eq!((vsock.enabled, vsock.port), (false, 4678));
        assert!(!vsock.guests.has("qemu-web"));
        let vsock: Vsock = toml::from_str("guests = ['qemu-web*', 'qemu-db']").unwrap();
        let matched = ["qemu-web1", "qemu-db", "qemu-db1", "kvm-web1"];
        assert_eq!(matched.map(|guest| vsock.guests.has(guest)), [true, true, false, false]);
        assert!(toml::from_str::<Vsock>("guests = ['qemu-[']").is_err());
        assert!(toml::from_str::<Vsock>("port = -1").is_err());
    }
}
