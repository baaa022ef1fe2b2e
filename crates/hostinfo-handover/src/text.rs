//! Bytes that are mostly text, such as a reply. For `#[serde(with = "hostinfo_handover::text")]`.
//!
//! Each byte is written as the character with its number, U+0000 to U+00FF. So ASCII stays as it is, and text that was
//! cut within a character is kept too. Nobody is served while a document is written, and many replies may be unread:
//! here they take half as many bytes as in hexadecimal, and are written in pieces. What a guest sends is written in
//! hexadecimal instead ([`bytes`](crate::bytes)), since a control character takes six bytes of JSON here.

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserializer, Serializer};

/// Bytes written at a time.
const PIECE: usize = 1024;

/// Writes bytes.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&Text(bytes))
}

struct Text<'b>(&'b [u8]);

impl fmt::Display for Text<'_> {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chunks(PIECE).try_for_each(|piece| match str::from_utf8(piece) {
            Ok(ascii) if ascii.is_ascii() => to.write_str(ascii),
            _ => to.write_str(&piece.iter().copied().map(char::from).collect::<String>()),
        })
    }
}

/// Reads bytes.
///
/// # Errors
/// A character is not a byte's.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    deserializer.deserialize_str(Bytes)
}

struct Bytes;

impl Visitor<'_> for Bytes {
    type Value = Vec<u8>;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("bytes as characters up to U+00FF")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Vec<u8>, E> {
        if text.is_ascii() {
            return Ok(text.as_bytes().to_vec());
        }
        let bytes = text.chars().map(u8::try_from).collect::<Result<_, _>>();
        bytes.map_err(|_| E::custom("not bytes as characters up to U+00FF"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Reply(#[serde(with = "super")] Vec<u8>);

    #[test]
    fn a_reply_takes_hardly_more_than_its_length() {
        let reply = "200-vm.cpu.0.delay 12.345678 s\n200-host.name \u{fc}ber\n".repeat(1000);
        let text = serde_json::to_string(&Reply(reply.clone().into())).unwrap();
        assert!(text.len() * 10 < reply.len() * 11, "{} of {}", text.len(), reply.len());
        assert_eq!(serde_json::from_str::<Reply>(&text).unwrap(), Reply(reply.into()));
    }

    #[test]
    fn a_character_that_is_no_byte_is_refused() {
        assert!(serde_json::from_str::<Reply>("\"a\u{100}\"").is_err());
        let read = serde_json::from_str::<Reply>("\"a\u{ff}\\u0000\"");
        assert_eq!(read.unwrap(), Reply(vec![b'a', 0xff, 0]));
    }

    proptest! {
        #[test]
        fn bytes_are_read_as_they_were_written(bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
            let text = serde_json::to_string(&Reply(bytes.clone())).unwrap();
            prop_assert_eq!(serde_json::from_str::<Reply>(&text).unwrap(), Reply(bytes));
        }
    }
}
