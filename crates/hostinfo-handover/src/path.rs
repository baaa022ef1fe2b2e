//! Paths. For `#[serde(with = "hostinfo_handover::path")]`.
//!
//! serde has no form for one that is not UTF-8, and whoever may make a cgroup for a guest chooses its name: no upgrade would
//! succeed while that guest is there. So they are written as bytes.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::text;

/// Writes a path.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    text::serialize(path.as_os_str().as_bytes(), serializer)
}

/// Reads a path.
///
/// # Errors
/// As of [`text`].
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
    Ok(OsString::from_vec(text::deserialize(deserializer)?).into())
}

/// The same for a path that may be missing.
pub mod option {
    use super::{Deserialize, Deserializer, Path, PathBuf, Serialize, Serializer};

    #[derive(Serialize)]
    struct Written<'p>(#[serde(with = "super")] &'p Path);

    #[derive(Deserialize)]
    struct Read(#[serde(with = "super")] PathBuf);

    /// Writes a path, or none.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(
        path: &Option<PathBuf>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        path.as_deref().map(Written).serialize(serializer)
    }

    /// Reads a path, or none.
    ///
    /// # Errors
    /// As of one that is not missing.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<PathBuf>, D::Error> {
        Ok(Option::<Read>::deserialize(deserializer)?.map(|Read(path)| path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Kept {
        #[serde(with = "super")]
        one: PathBuf,
        #[serde(with = "super::option")]
        another: Option<PathBuf>,
    }

    #[test]
    fn a_path_comes_back_as_it_was_whatever_its_bytes_are() {
        for bytes in [&b"a.scope/cpu.stat"[..], b"\xc3\xbc", b"\xff\xfe/x", b""] {
            let one = PathBuf::from(OsString::from_vec(bytes.to_vec()));
            for another in [None, Some(one.clone())] {
                let kept = Kept { one: one.clone(), another };
                let text = serde_json::to_string(&kept).unwrap();
                assert_eq!(serde_json::from_str::<Kept>(&text).unwrap(), kept, "{text}");
            }
        }
    }
}
