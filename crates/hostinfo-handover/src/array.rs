//! Arrays of any length. For `#[serde(with = "hostinfo_handover::array")]`.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Writes an array.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer, T: Serialize, const N: usize>(
    array: &[T; N],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(array)
}

/// Reads an array.
///
/// # Errors
/// It has another length.
pub fn deserialize<'de, D: Deserializer<'de>, T: Deserialize<'de>, const N: usize>(
    deserializer: D,
) -> Result<[T; N], D::Error> {
    let all: Vec<T> = Vec::deserialize(deserializer)?;
    all.try_into().map_err(|all: Vec<T>| {
        D::Error::invalid_length(all.len(), &format!("{N} elements").as_str())
    })
}
