//! The host's identifiers for one guest. They tell it only whether its host is still the same.

use std::fmt::Write as _;

/// Bytes of the MAC that `host.id` consists of.
const ID_LEN: usize = 16;

/// The host's identifiers for one guest, one for each of its dialects. Neither reveals the other.
#[derive(Debug, Clone, Default)]
pub struct HostId {
    /// `host.id`: the first 128 bits of the MAC. As text, it would take four times the memory.
    id: [u8; ID_LEN],
    /// vhostmd's `id`: the next 31 bits, as a number other than 0. libvirt's own number would show
    /// how many domains have been started on the host.
    pub(crate) number: u32,
}

impl HostId {
    /// Made from a MAC of the guest's socket name, keyed with the host's secret and machine-id(5).
    pub fn of(mac: &[u8; 32]) -> Self {
        let number =
            mac.iter().skip(ID_LEN).take(4).fold(0, |sum, byte| sum << 8 | u32::from(*byte));
        let mut id = [0; ID_LEN];
        for (to, from) in id.iter_mut().zip(mac) {
            *to = *from;
        }
        // Not 0, which is the host itself among Xen's domains.
        Self { id, number: (number >> 1).max(1) }
    }

    /// `host.id`, in hexadecimal.
    pub fn text(&self) -> String {
        hex(&self.id)
    }

    /// vhostmd's `id`: from 1 to 2^31 - 1.
    pub fn number(&self) -> u32 {
        self.number
    }
}

/// Two hexadecimal digits for each byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
