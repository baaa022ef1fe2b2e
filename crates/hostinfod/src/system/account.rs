//! The users and groups of this host, passwd(5) and group(5).

use std::path::Path;

use crate::system::file_error::FileError;

/// The file that lists users.
pub(crate) const USERS: &str = "/etc/passwd";

/// The file that lists groups.
pub(crate) const GROUPS: &str = "/etc/group";

/// At most this many bytes are read: 100,000 groups of 160 bytes. Larger sites keep their groups
/// elsewhere.
const FILE_MAX: u64 = 16 * 1024 * 1024;

/// The number of the user or group with that name in such a file; a number stands for itself. `None` if
/// there is none.
///
/// # Errors
/// The file cannot be read.
pub(crate) fn find(file: &str, name: &str) -> Result<Option<u32>, FileError> {
    if let Some(number) = number_of(name) {
        return Ok(real(number));
    }
    let file = Path::new(file);
    let text = hostinfo_file::read(file, FILE_MAX).map_err(FileError::of(file))?;
    let text = text.unwrap_or_default();
    Ok(number_in(&String::from_utf8_lossy(&text), name).and_then(real))
}

/// A number in its one spelling: guests called `7` and `07` are not to have one user where theirs is `{name}`.
fn number_of(name: &str) -> Option<u32> {
    name.parse().ok().filter(|number: &u32| number.to_string() == name)
}

/// chown(2) takes the highest number for "unchanged", so another group would get the socket.
fn real(number: u32) -> Option<u32> {
    (number != u32::MAX).then_some(number)
}

/// `kvm:x:104:qemu,alice`, `fc:x:998:998::/nonexistent:/bin/false`
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
    fn a_number_need_not_be_in_the_file_and_is_one_that_a_group_can_have() {
        assert_eq!(find(GROUPS, "54321").unwrap(), Some(54321));
        assert_eq!(find(GROUPS, "4294967295").unwrap(), None);
    }

    #[test]
    fn only_one_spelling_of_a_number_is_that_number() {
        for (name, number) in [("0", Some(0)), ("7", Some(7)), ("07", None), ("+7", None)] {
            assert_eq!(find(GROUPS, name).unwrap(), number, "{name}");
        }
    }

    #[test]
    fn a_group_is_found_by_its_name() {
        let text = "root:x:0:\nkvm:x:104:qemu,alice\nbroken\n";
        assert_eq!(number_in(text, "kvm"), Some(104));
        assert_eq!(number_in(text, "alice"), None);
        assert_eq!(number_in(text, "broken"), None);
    }
}
