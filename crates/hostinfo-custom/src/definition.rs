//! The definition of one of the administrator's statistics.

use std::sync::Arc;
use std::time::Duration;

use hostinfo_catalog::About;

use crate::account::Account;

/// The placeholder for the guest's socket name.
pub(crate) const GUEST: &str = "{guest}";

/// One statistic, as the administrator defined it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// The part after `custom.`, in lower case, as used for look-ups.
    pub name: String,
    /// Its kind, unit and help.
    pub about: Arc<About>,
    /// Whether guests share one value.
    pub scope: Scope,
    /// Where its value comes from.
    pub source: Source,
    /// How long a value is kept.
    pub every: Duration,
    /// How long its command may run.
    pub timeout: Duration,
    /// The user that runs its command, or whose rights are used to read its file. `None`: the
    /// daemon's own user, which is then not root.
    pub account: Option<Account>,
}

/// Which guests a value is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All guests get the same.
    Host,
    /// Each guest has its own.
    Guest,
}

impl Scope {
    pub(crate) const ALL: [Self; 2] = [Self::Host, Self::Guest];

    /// The scope's word in a definition.
    pub fn word(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Guest => "guest",
        }
    }
}

/// Where a value comes from. `{guest}` stands for the guest's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// An absolute path.
    File(String),
    /// An absolute path and its arguments.
    Command(Vec<String>),
}

impl Source {
    /// The words in which `{guest}` must stand alone.
    pub(crate) fn words(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        match self {
            Self::File(path) => Box::new(path.split('/')),
            Self::Command(words) => Box::new(words.iter().map(String::as_str)),
        }
    }
}

/// The word with the guest's name filled in.
pub(crate) fn fill<'w>(word: &'w str, guest: &'w str) -> &'w str {
    if word == GUEST { guest } else { word }
}

/// Whether a guest's name is safe as one word of a command and one component of a path: not an
/// option, and not a way up.
pub(crate) fn is_one_word(guest: &str) -> bool {
    !guest.is_empty()
        && !guest.starts_with(['-', '.'])
        && !guest.chars().any(|c| c == '/' || c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_word_is_the_guest() {
        assert_eq!(fill("{guest}", "qemu-a b"), "qemu-a b");
        assert_eq!(fill("{guest}.x", "qemu-a"), "{guest}.x");
    }

    #[test]
    fn a_name_that_is_an_option_or_a_way_elsewhere_is_no_word() {
        for guest in ["qemu-a", "qemu-Überwachung 7\"", "qemu-$(x)'", "qemu-.."] {
            assert!(is_one_word(guest), "{guest}");
        }
        for guest in ["", "-rf", "..", ".", "qemu-a/b", "/etc", "qemu-a\0", "qemu-a\n"] {
            assert!(!is_one_word(guest), "{guest:?}");
        }
    }
}
