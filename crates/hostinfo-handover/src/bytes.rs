//! Bytes, in hexadecimal. For `#[serde(with = "hostinfo_handover::bytes")]`.
//!
//! Nobody is served while a document is written, so bytes are written and read in pieces, and no text of all of them is made.

use std::borrow::Borrow;
use std::fmt;
use std::str;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes as the key of a map, by [`pairs`](crate::pairs), such as the name of a cgroup. A user can choose that, and each of
/// its bytes would take up to four here as a number, and up to six as [`text`](crate::text).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Key(#[serde(with = "self")] pub Vec<u8>);

impl Borrow<[u8]> for Key {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Bytes written at a time.
const PIECE: usize = 256;

/// Writes bytes.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&Hexadecimal(bytes))
}

struct Hexadecimal<'b>(&'b [u8]);

impl fmt::Display for Hexadecimal<'_> {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digit = |digit: u8| DIGITS.get(usize::from(digit)).copied().unwrap_or_default();
        let mut text = [[0; 2]; PIECE];
        for piece in self.0.chunks(PIECE) {
            for (pair, byte) in text.iter_mut().zip(piece) {
                *pair = [digit(byte >> 4), digit(byte & 0xf)];
            }
            let written = text.get(..piece.len()).unwrap_or_default().as_flattened();
            to.write_str(str::from_utf8(written).map_err(|_| fmt::Error)?)?;
        }
        Ok(())
    }
}

/// Reads bytes.
///
/// # Errors
/// It is not an even number of hexadecimal digits.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    deserializer.deserialize_str(Bytes)
}

struct Bytes;

impl Visitor<'_> for Bytes {
    type Value = Vec<u8>;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("bytes in hexadecimal")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Vec<u8>, E> {
        let digit = |digit: u8| match digit {
            b'0'..=b'9' => Some(digit - b'0'),
            b'a'..=b'f' => Some(digit - b'a' + 10),
            b'A'..=b'F' => Some(digit - b'A' + 10),
            _ => None,
        };
        let (pairs, rest) = text.as_bytes().as_chunks();
        let bytes = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?));
        let bytes: Option<Vec<u8>> = bytes.collect();
        bytes.filter(|_| rest.is_empty()).ok_or_else(|| E::custom("not bytes in hexadecimal"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;
    use std::io::{self, Write};

    use proptest::prelude::*;

    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Reply(#[serde(with = "super")] Vec<u8>);

    /// Counts what it is given, and the longest piece of it.
    #[derive(Default)]
    struct Pieces {
        all: usize,
        longest: usize,
    }

    impl Write for Pieces {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.all += bytes.len();
            self.longest = self.longest.max(bytes.len());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_long_reply_is_written_in_pieces() {
        let mut pieces = Pieces::default();
        serde_json::to_writer(&mut pieces, &Reply(vec![0xa5; 1_000_001])).unwrap();
        assert_eq!(pieces.all, 2 * 1_000_001 + 2);
        assert!(pieces.longest <= 2 * PIECE, "{}", pieces.longest);
    }

    #[test]
    fn an_odd_number_of_digits_or_a_character_that_is_none_is_refused() {
        for text in ["0", "0g", "g0", "000", "0 ", "+1", "\u{e4}"] {
            let read = serde_json::from_value::<Reply>(text.into());
            assert!(read.is_err(), "{text}");
        }
        assert_eq!(serde_json::from_str::<Reply>("\"0aFf\"").unwrap(), Reply(vec![0x0a, 0xff]));
    }

    #[test]
    fn a_key_takes_twice_its_length_whatever_its_bytes_are_and_is_found_by_them() {
        for name in [&b"eth0"[..], b"\x01\x1f\"\\", b"\xff\xfe\xfd\xfc"] {
            let kept = HashMap::from([(Key(name.to_vec()), 7)]);
            let text = serde_json::to_string(&kept.keys().next()).unwrap();
            assert_eq!(text.len(), 2 * name.len() + 2, "{text}");
            assert_eq!(kept.get(name), Some(&7));
        }
    }

    proptest! {
        #[test]
        fn bytes_are_read_as_they_were_written(bytes in prop::collection::vec(any::<u8>(), 0..1000)) {
            let text = serde_json::to_string(&Reply(bytes.clone())).unwrap();
            let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            prop_assert_eq!(&text, &format!("\"{digits}\""));
            prop_assert_eq!(serde_json::from_str::<Reply>(&text).unwrap(), Reply(bytes));
        }
    }
}
