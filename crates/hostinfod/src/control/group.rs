//! The groups of this host, group(5).

use std::fs;
use std::path::Path;

use rustix::process::Gid;

use crate::system::file_error::FileError;

/// Where they are.
pub(super) const FILE: &str = "/etc/group";

/// The group of that name, or of that number; `None` where there is none.
///
/// # Errors
/// Where the file cannot be read.
pub(super) fn find(name: &str) -> Result<Option<Gid>, FileError> {
    if let Ok(number) = name.parse() {
        return Ok(Some(Gid::from_raw(number)));
    }
    let text = fs::read_to_string(FILE).map_err(FileError::of(Path::new(FILE)))?;
    Ok(number_in(&text, name).map(Gid::from_raw))
}

/// `kvm:x:104:qemu,alice`
fn number_in(text: &str, name: &str) -> Option<u32> {
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_found_by_its_name() {
        let text = "root:x:0:\nkvm:x:104:qemu,alice\nbroken\n";
        assert_eq!(number_in(text, "kvm"), Some(104));
        assert_eq!(number_in(text, "alice"), None);
        assert_eq!(number_in(text, "broken"), None);
    }
}
