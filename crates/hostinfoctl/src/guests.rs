//! Turns names and patterns on the command line into guests.

use hostinfo_domains::Entry;
use hostinfo_rules::Pattern;
use hostinfo_wire::nearest::{ALIKE, nearest};

use crate::exit::Failure;

/// The guests that the words match, each once, in the order of the words; and a failure for each
/// word that matches none. No words match all guests. A word can also be a guest's whole name,
/// `$driver-$name`.
pub(crate) fn select<'e>(
    entries: &'e [Entry],
    driver: &str,
    words: &[String],
) -> (Vec<&'e Entry>, Vec<Failure>) {
    if words.is_empty() {
        return (entries.iter().collect(), Vec::new());
    }
    let (mut chosen, mut failures): (Vec<&Entry>, Vec<Failure>) = Default::default();
    for word in words {
        match matching(entries, driver, word) {
            Ok(matched) => {
                for entry in matched {
                    if chosen.iter().all(|other| other.uuid != entry.uuid) {
                        chosen.push(entry);
                    }
                }
            }
            Err(failure) => failures.push(failure),
        }
    }
    (chosen, failures)
}

fn matching<'e>(entries: &'e [Entry], driver: &str, word: &str) -> Result<Vec<&'e Entry>, Failure> {
    // A guest's name may look like a pattern.
    if let Some(entry) = called(entries, driver, word) {
        return Ok(vec![entry]);
    }
    let pattern: Pattern = word
        .parse()
        .map_err(|error: hostinfo_rules::BadPattern| Failure::Usage(error.to_string()))?;
    let matched: Vec<&Entry> =
        entries.iter().filter(|entry| pattern.matches(&entry.name)).collect();
    if !matched.is_empty() {
        return Ok(matched);
    }
    Err(match is_pattern(word) {
        true => Failure::NoMatch(word.to_owned()),
        false => no_guest(entries, word),
    })
}

/// The guest with that name, or else the one with that whole name. A name may look like another
/// guest's whole name.
pub(crate) fn called<'e>(entries: &'e [Entry], driver: &str, word: &str) -> Option<&'e Entry> {
    let whole = word.strip_prefix(driver).and_then(|rest| rest.strip_prefix('-'));
    let mut names = [Some(word), whole].into_iter().flatten();
    names.find_map(|name| entries.iter().find(|entry| entry.name == name))
}

/// The failure that there is no such guest, with a guest of similar name if there is one.
pub(crate) fn no_guest(entries: &[Entry], word: &str) -> Failure {
    let nearest = nearest(word, entries.iter().map(|entry| &*entry.name), ALIKE);
    Failure::NoGuest { name: word.to_owned(), nearest: nearest.map(str::to_owned) }
}

/// Whether a word may match several guests.
pub(crate) fn is_pattern(word: &str) -> bool {
    word.contains(['*', '?', '['])
}

/// Whether a word means the guest of that whole name and bare name: it is one of them, or a pattern that matches the
/// bare one.
pub(crate) fn means(word: &str, guest: &str, name: &str) -> bool {
    word == name || word == guest || word.parse().is_ok_and(|word: Pattern| word.matches(name))
}

#[cfg(test)]
pub(crate) fn entry(number: u128, name: &str) -> Entry {
    Entry {
        uuid: hostinfo_domains::Uuid::from_u128(number),
        name: name.to_owned(),
        is_live: false,
        is_defined: true,
        is_saved: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(words: &[&str]) -> (Vec<String>, Vec<String>) {
        let names = ["db", "web-1", "web-2", "web-[1]", "Windows 11"];
        let entries: Vec<Entry> = (1..).zip(names).map(|(n, name)| entry(n, name)).collect();
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        let (chosen, failures) = select(&entries, "qemu", &words);
        let names = chosen.iter().map(|entry| entry.name.clone()).collect();
        (names, failures.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_pattern_means_all_that_it_matches_and_each_guest_comes_once() {
        assert_eq!(chosen(&["web-?", "web-1", "W* 11"]).0, ["web-1", "web-2", "Windows 11"]);
        assert_eq!(chosen(&[]).0.len(), 5);
    }

    #[test]
    fn a_name_goes_before_a_pattern() {
        assert_eq!(chosen(&["web-[1]"]).0, ["web-[1]"]);
        assert_eq!(chosen(&["web-[2]"]).0, ["web-2"]);
        assert_eq!(chosen(&["qemu-db", "xen-web-1"]).0, ["db"], "a whole name");
    }

    #[test]
    fn an_unknown_guest_is_an_error_that_suggests_the_nearest_name() {
        let (names, failures) = chosen(&["wbe-1", "nothing", "x*", "a\\b", "db"]);
        assert_eq!(names, ["db"]);
        assert_eq!(failures[0], "there is no guest \"wbe-1\": do you mean \"web-1\"?");
        assert_eq!(failures[1], "there is no guest \"nothing\": see them with hostinfoctl list");
        assert!(failures[2].starts_with("no guest's name matches \"x*\""));
        assert!(failures[3].contains("unknown escape"), "{}", failures[3]);
    }
}
