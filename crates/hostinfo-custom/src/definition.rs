//! The definition of one of the administrator's statistics.

use std::sync::Arc;
use std::time::Duration;

use hostinfo_catalog::About;
use sha2::{Digest as _, Sha256};

use crate::account::Account;
use crate::limits::GUEST_MAX;

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
    /// The user that runs its command, if it names one. hostinfo-run finds out who that is.
    pub user: Option<String>,
    /// The user whose rights are used to read its file. `None`: the daemon's own user, which is then not root.
    pub account: Option<Account>,
}

impl Definition {
    /// What shows that two programs mean the same command: SHA-256 of all that determines what is run, in hexadecimal
    /// digits.
    pub fn fingerprint(&self) -> String {
        let Self { name, about: _, scope, source, every: _, timeout, user, account: _ } = self;
        let millis = timeout.as_millis().to_string();
        let user = user.as_deref().map_or_else(|| "-".to_owned(), |user| format!("={user}"));
        let source_word = match source {
            Source::File(_) => "file",
            Source::Command(_) => "command",
        };
        let mut hash = Sha256::new();
        for word in
            [name, scope.word(), &millis, &*user, source_word].into_iter().chain(source.words())
        {
            // With their lengths, so that no two lists of words look alike.
            hash.update((word.len() as u64).to_be_bytes());
            hash.update(word);
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
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
    (1..=GUEST_MAX).contains(&guest.len())
        && !guest.starts_with(['-', '.'])
        && !guest.chars().any(|c| c == '/' || c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostinfo_catalog::{Kind, Unit};

    #[test]
    fn only_the_whole_word_is_the_guest() {
        assert_eq!(fill("{guest}", "qemu-a b"), "qemu-a b");
        assert_eq!(fill("{guest}.x", "qemu-a"), "{guest}.x");
    }

    fn definition(source: Source, user: Option<&str>) -> Definition {
        let about =
            About { kind: Kind::Gauge, unit: Unit::None, help: "h".to_owned(), metric: None };
        Definition {
            name: "a".to_owned(),
            about: Arc::new(about),
            scope: Scope::Host,
            source,
            every: Duration::from_secs(1),
            timeout: Duration::from_secs(2),
            user: user.map(str::to_owned),
            account: None,
        }
    }

    #[test]
    fn a_fingerprint_changes_with_all_that_is_run_and_with_nothing_else() {
        let command = |words: &[&str]| {
            let words = words.iter().map(|word| (*word).to_owned()).collect();
            definition(Source::Command(words), None)
        };
        let one = command(&["/a", "b c"]);
        let mut same = Definition { every: Duration::from_secs(9), ..one.clone() };
        Arc::make_mut(&mut same.about).help = "another".to_owned();
        assert_eq!(same.fingerprint(), one.fingerprint());
        assert_eq!(one.fingerprint().len(), 64);
        for other in [
            command(&["/a", "b", "c"]),
            command(&["/a", "b c", ""]),
            command(&["/ab c"]),
            definition(Source::File("/a/b c".to_owned()), None),
            definition(Source::Command(vec!["/a".to_owned(), "b c".to_owned()]), Some("x")),
            Definition { name: "b".to_owned(), ..one.clone() },
            Definition { scope: Scope::Guest, ..one.clone() },
            Definition { timeout: Duration::from_secs(3), ..one.clone() },
        ] {
            assert_ne!(other.fingerprint(), one.fingerprint(), "{other:?}");
        }
    }

    #[test]
    fn a_name_that_is_an_option_or_a_way_elsewhere_is_no_word() {
        for guest in ["qemu-a", "qemu-Überwachung 7\"", "qemu-$(x)'", "qemu-.."] {
            assert!(is_one_word(guest), "{guest}");
        }
        for guest in ["", "-rf", "..", ".", "qemu-a/b", "/etc", "qemu-a\0", "qemu-a\n"] {
            assert!(!is_one_word(guest), "{guest:?}");
        }
        assert!(is_one_word(&"x".repeat(GUEST_MAX)) && !is_one_word(&"x".repeat(GUEST_MAX + 1)));
    }
}
