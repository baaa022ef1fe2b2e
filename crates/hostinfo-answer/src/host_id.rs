//! What a guest knows its host by: names that tell it nothing but that its host is the same.

use std::fmt::Write as _;

/// Bytes of the MAC that are `host.id`.
const ID_LEN: usize = 16;

/// What one guest knows its host by, on whichever of its channels. Neither tells the other.
#[derive(Debug, Clone, Default)]
pub struct HostId {
    /// `host.id`: the first 128 bits of the MAC, in hexadecimal.
    pub(crate) text: Box<str>,
    /// vhostmd's `id`: the next 31 bits, as a number that is not 0. libvirt's own number counts how
    /// many domains have been started on the host.
    pub(crate) number: u32,
}

impl HostId {
    /// Made of a MAC of the guest's socket with the host's secret.
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

/// Two digits a byte.
pub(crate) fn hex<'a>(bytes: impl IntoIterator<Item = &'a u8>) -> Box<str> {
    let text = bytes.into_iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    });
    text.into()
}
