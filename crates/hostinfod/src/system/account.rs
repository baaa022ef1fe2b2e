//! The users and groups of this host, passwd(5) and group(5).

use std::collections::HashMap;
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
    Ok(Accounts::read(file)?.named(name))
}

/// All users or groups in such a file.
pub(crate) struct Accounts(HashMap<String, u32>);

impl Accounts {
    /// Reads them.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn read(file: &str) -> Result<Self, FileError> {
        let file = Path::new(file);
        let text = hostinfo_file::read(file, FILE_MAX).map_err(FileError::of(file))?;
        Ok(Self::parse(&String::from_utf8_lossy(&text.unwrap_or_default())))
    }

    /// `kvm:x:104:qemu,alice`, `fc:x:998:998::/nonexistent:/bin/false`
    pub(crate) fn parse(text: &str) -> Self {
        let mut numbers = HashMap::new();
        for line in text.lines() {
            let mut fields = line.split(':');
            if let (Some(name), Some(Ok(number))) =
                (fields.next(), fields.nth(1).map(str::parse::<u32>))
            {
                numbers.entry(name.to_owned()).or_insert(number);
            }
        }
        Self(numbers)
    }

    /// The number of the one with that name; a number stands for itself.
    pub(crate) fn find(&self, name: &str) -> Option<u32> {
        number_of(name).map_or_else(|| self.named(name), real)
    }

    fn named(&self, name: &str) -> Option<u32> {
        self.0.get(name).copied().and_then(real)
    }
}

/// A number in its one spelling: guests called `7` and `07` are not to have one user where theirs is `{name}`.
fn number_of(name: &str) -> Option<u32> {
    name.parse().ok().filter(|number: &u32| number.to_string() == name)
}

/// chown(2) takes the highest number for "unchanged", so another group would get the socket.
fn real(number: u32) -> Option<u32> {
    (number != u32::MAX).then_some(number)
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
        let text = "root:x:0:\nkvm:x:104:qemu,alice\nbroken\nkvm:x:105:\nall:x:4294967295:\n";
        let groups = Accounts::parse(text);
        assert_eq!((groups.find("kvm"), groups.find("107")), (Some(104), Some(107)));
        for none in ["alice", "broken", "all"] {
            assert_eq!(groups.find(none), None, "{none}");
        }
    }
}
