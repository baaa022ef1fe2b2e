//! Maps whose keys are not strings, as lists of pairs. For `#[serde(with = "hostinfo_handover::pairs")]`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Writes a map.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<'m, S, M, K, V>(map: &'m M, serializer: S) -> Result<S::Ok, S::Error>
where
    S: Serializer,
    &'m M: IntoIterator<Item = (&'m K, &'m V)>,
    K: Serialize + 'm,
    V: Serialize + 'm,
{
    serializer.collect_seq(map)
}

/// Reads a map.
///
/// # Errors
/// It is not a list of pairs.
pub fn deserialize<'de, D, M, K, V>(deserializer: D) -> Result<M, D::Error>
where
    D: Deserializer<'de>,
    M: FromIterator<(K, V)>,
    Vec<(K, V)>: Deserialize<'de>,
{
    Ok(Vec::deserialize(deserializer)?.into_iter().collect())
}
