//! The host's identifiers for one guest. They tell it only whether its host is still the same.

use std::fmt::Write as _;

/// Bytes of the MAC that `host.id` consists of.
const ID_LEN: usize = 16;

/// The host's identifiers for one guest, one for each of its dialects. Neither reveals the other.
#[derive(Debug, Clone, Default)]
pub struct HostId {
    /// `host.id`: the first 128 bits of the MAC, in hexadecimal.
    pub(crate) text: Box<str>,
    /// vhostmd's `id`: the next 31 bits, as a number other than 0. libvirt's own number would show
    /// how many domains have been started on the host.
    pub(crate) number: u32,
}

impl HostId {
    /// Made from a MAC of the guest's socket name, keyed with the host's secret.
    pub fn of(mac: &[u8; 32]) -> Self {
        let number =
            mac.iter().skip(ID_LEN).take(4).fold(0, |sum, byte| sum << 8 | u32::from(*byte));
        // Not 0, which is the host itself among Xen's domains.
        Self { text: hex(mac.iter().take(ID_LEN)), number: (number >> 1).max(1) }
    }

    /// `host.id`.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// vhostmd's `id`: from 1 to 2^31 - 1.
    pub fn number(&self) -> u32 {
        self.number
    }
}

/// Two hexadecimal digits for each byte.
pub(crate) fn hex<'a>(bytes: impl IntoIterator<Item = &'a u8>) -> Box<str> {
    let text = bytes.into_iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    });
    text.into()
}
