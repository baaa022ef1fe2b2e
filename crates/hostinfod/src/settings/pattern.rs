//! A path with `{name}` in it, which stands for a guest's name: where sockets of guests are that libvirt does not
//! make.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// What stands for the guest's name.
const NAME: &str = "{name}";

/// A path with exactly one `{name}`, which is one segment of it or part of one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Pattern {
    text: String,
    /// The directory whose entries are looked at.
    base: PathBuf,
    /// What an entry has in front of the name.
    prefix: String,
    /// What it has behind it.
    suffix: String,
    /// What follows below such an entry; empty where the entry is all.
    below: PathBuf,
}

impl Pattern {
    /// As it is written.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The directory whose entries are looked at.
    pub(crate) fn base(&self) -> &Path {
        &self.base
    }

    /// What follows below an entry of [`Pattern::base`]; empty where the entry is all.
    pub(crate) fn below(&self) -> &Path {
        &self.below
    }

    /// The name that `{name}` stands for in an entry of [`Pattern::base`]; `None` where the entry is another.
    pub(crate) fn name<'e>(&self, entry: &'e str) -> Option<&'e str> {
        let name = entry.strip_prefix(&*self.prefix)?.strip_suffix(&*self.suffix)?;
        // With something around it, it might still be one of these two, which lead elsewhere.
        (!name.is_empty() && name != "." && name != "..").then_some(name)
    }

    /// Whether there may be a path that both match.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        let either = |one: &str, other: &str, is_part: fn(&str, &str) -> bool| {
            is_part(one, other) || is_part(other, one)
        };
        self.base == other.base
            && self.below == other.below
            && either(&self.prefix, &other.prefix, |one, other| one.starts_with(other))
            && either(&self.suffix, &other.suffix, |one, other| one.ends_with(other))
    }
}

impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let count = text.matches(NAME).count();
        if count != 1 {
            return Err(format!(
                "path {text:?} contains {NAME} {count} times: it has to be there exactly once, in \
                 place of the guest's name"
            ));
        }
        if !text.starts_with('/') {
            return Err(format!("path {text:?} does not start with /: write it in full"));
        }
        if text.chars().any(char::is_control) {
            return Err(format!("path {text:?} contains a control character: remove it"));
        }
        let segments: Vec<&str> = text.split('/').skip(1).collect();
        if segments.iter().any(|segment| matches!(*segment, "" | "." | "..")) {
            return Err(format!(
                "path {text:?} contains an empty segment, `.` or `..`: write it without"
            ));
        }
        if segments.first() == Some(&"proc") {
            return Err(format!("path {text:?} is below /proc: sockets of guests are not there"));
        }
        let (mut base, mut below) = (PathBuf::from("/"), PathBuf::new());
        let mut affixes = None;
        for segment in segments {
            match (segment.split_once(NAME), &affixes) {
                (Some((prefix, suffix)), _) => {
                    affixes = Some((prefix.to_owned(), suffix.to_owned()));
                }
                (None, None) => base.push(segment),
                (None, Some(_)) => below.push(segment),
            }
        }
        let (prefix, suffix) = affixes.unwrap_or_default();
        Ok(Self { base, prefix, suffix, below, text })
    }
}

/// Whether a word may be a guest's driver, as in `$driver-$name`: the first `-` parts the two.
pub(crate) fn is_driver(word: &str) -> bool {
    !word.is_empty() && !word.chars().any(|c| c.is_control() || c == '-' || c == '/')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pattern(text: &str) -> Result<Pattern, String> {
        Pattern::try_from(text.to_owned())
    }

    /// The entry of its directory for a name.
    fn entry(pattern: &Pattern, name: &str) -> String {
        format!("{}{name}{}", pattern.prefix, pattern.suffix)
    }

    #[test]
    fn a_name_is_a_segment_or_a_part_of_one() {
        let vm = pattern("/srv/vm/{name}/vsock.sock_4678").unwrap();
        assert_eq!((vm.base(), vm.below()), (Path::new("/srv/vm"), Path::new("vsock.sock_4678")));
        assert_eq!((vm.name("web"), &*entry(&vm, "web")), (Some("web"), "web"));
        let serial = pattern("/run/qemu-server/{name}.serial1").unwrap();
        assert_eq!((serial.base(), serial.below()), (Path::new("/run/qemu-server"), Path::new("")));
        assert_eq!(
            (serial.name("100.serial1"), &*entry(&serial, "100")),
            (Some("100"), "100.serial1")
        );
        for other in
            ["100.serial0", "100.serial11", ".serial1", "100.qmp", "..serial1", "...serial1"]
        {
            assert_eq!(serial.name(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused_with_what_to_do() {
        for (text, word) in [
            ("/srv/vm/web/vsock", "0 times: it has to be there exactly once"),
            ("/srv/{name}/{name}.sock", "2 times"),
            ("srv/{name}", "write it in full"),
            ("", "exactly once"),
            ("/proc/{name}/root/x", "below /proc"),
            ("/srv//{name}", "empty segment"),
            ("/srv/../proc/{name}", "`..`"),
            ("/srv/{name}/./x", "`.`"),
            ("/srv/{name}/", "empty segment"),
            ("/srv/{name}\n", "control character"),
        ] {
            let error = pattern(text).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn two_patterns_overlap_where_a_path_could_be_of_both() {
        for (one, other, do_they) in [
            ("/s/{name}/x", "/s/{name}/x", true),
            ("/s/{name}/x", "/s/{name}/y", false),
            ("/s/a-{name}/x", "/s/{name}/x", true),
            ("/s/a-{name}/x", "/s/b-{name}/x", false),
            ("/s/{name}.a", "/s/{name}.b", false),
            ("/s/a{name}", "/s/{name}b", true),
            ("/s/{name}", "/t/{name}", false),
        ] {
            let (one, other) = (pattern(one).unwrap(), pattern(other).unwrap());
            assert_eq!((one.overlaps(&other), other.overlaps(&one)), (do_they, do_they));
        }
    }

    #[test]
    fn a_driver_is_a_word_without_a_hyphen() {
        assert!(is_driver("firecracker") && is_driver("qemu"));
        for none in ["", "a-b", "a/b", "a\n"] {
            assert!(!is_driver(none), "{none:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_pattern_or_an_error_and_finds_the_names_of_its_own_entries(
            text in "[/a.{}]{0,6}(\\{name\\})?\\PC{0,12}", name in "[a-z.]{1,5}"
        ) {
            if let Ok(pattern) = pattern(&text) {
                let is_dots = name == "." || name == "..";
                let found = entry(&pattern, &name);
                prop_assert_eq!(pattern.name(&found), Some(&*name).filter(|_| !is_dots));
            }
        }
    }
}
