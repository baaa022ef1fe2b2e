//! A guest's name, taken from its socket.

use std::sync::Arc;

use hostinfo_custom::limits::GUEST_MAX;

/// A socket's name, split into its parts: `$driver-$name`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Name {
    /// Shared by all who keep it: with 10,000 guests each byte counts.
    whole: Arc<str>,
    driver_len: usize,
}

impl Name {
    /// Splits at the first `-`. `None` if a part is empty, if the name is over [`GUEST_MAX`] bytes long, or if it contains a
    /// character that a file name cannot have or a control character.
    pub fn parse(whole: &str) -> Option<Self> {
        let (driver, name) = whole.split_once('-')?;
        let is_file_name = !whole.chars().any(|c| c.is_control() || c == '/');
        let holds = !driver.is_empty() && !name.is_empty() && is_file_name;
        let holds = holds && whole.len() <= GUEST_MAX;
        holds.then(|| Self { whole: whole.into(), driver_len: driver.len() })
    }

    /// The whole name, which the rules match.
    pub fn whole(&self) -> &str {
        &self.whole
    }

    /// The whole name, to be kept.
    pub fn shared(&self) -> Arc<str> {
        Arc::clone(&self.whole)
    }

    /// The driver, such as `qemu`.
    pub fn driver(&self) -> &str {
        self.whole.split_at_checked(self.driver_len).map_or("", |(driver, _)| driver)
    }

    /// The guest's own name.
    pub fn guest(&self) -> &str {
        self.whole.get(self.driver_len + 1..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_hyphen_parts_driver_and_name() {
        let name = Name::parse("qemu-my-guest").unwrap();
        assert_eq!((name.driver(), name.guest()), ("qemu", "my-guest"));
        for none in ["", "-", "qemu", "qemu-", "-a", "qemu-a\n", "qemu-\u{85}", "qemu-a/b"] {
            assert_eq!(Name::parse(none), None, "{none:?}");
        }
    }

    #[test]
    fn a_name_is_no_longer_than_what_a_rules_pattern_is_compared_with_in_microseconds() {
        let name = |length: usize| format!("qemu-{}", "x".repeat(length - "qemu-".len()));
        assert!(Name::parse(&name(GUEST_MAX)).is_some());
        assert_eq!(Name::parse(&name(GUEST_MAX + 1)), None);
    }
}
