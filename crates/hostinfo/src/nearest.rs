//! Finds the name that a misspelt one was meant to be.

use std::collections::BTreeSet;

use hostinfo_catalog::resolve;
use hostinfo_catalog::resolve::known_names;
use hostinfo_wire::Code;
use hostinfo_wire::nearest::{self, ALIKE};

use crate::host::Host;
use crate::listed::Listed;
use crate::question::Question;
use crate::reply::Line;

/// Longer words resemble no name.
const WORD_MAX: usize = 100;

/// Says that a word, which is no statistic that this program knows, was probably meant as one of `commands`. A newer
/// host may have a statistic of that name: `get` asks for it.
pub(crate) fn misspelt(word: &str, commands: &[&str]) -> Option<String> {
    let meant = command(word, commands.iter().copied()).filter(|_| resolve(word).is_none())?;
    Some(format!("{word}: no such command or statistic; did you mean hostinfo {meant}?"))
}

/// Adds the probable intended name to each line about an unknown one, which may also be a misspelt
/// name of one of `commands`.
pub(crate) fn correct(host: &mut Host<'_>, lines: &mut [Line], commands: &[&str]) {
    let is_unknown = |line: &Line| line.code == Code::NoSuchStatistic;
    if !lines.iter().any(is_unknown) {
        return;
    }
    // Listing costs nothing. Without an answer, this program still knows some names.
    let list = host.ask(&Question::list_all()).unwrap_or_default();
    let listed = Listed::all(&list);
    for line in lines.iter_mut().filter(|line| is_unknown(line)) {
        let Some(word) = line.subject() else { continue };
        let meant = command(word, commands.iter().copied())
            .map(|command| format!("hostinfo {command}"))
            .or_else(|| nearest(word, listed.iter().map(|listed| listed.name)));
        if let Some(meant) = meant {
            line.text.push_str(&format!("; did you mean {meant}?"));
        }
    }
}

/// The name most similar to `word` among those that the host lists, the groups above them, and
/// those that this program knows, which the host may hide from this guest. Listed names come first.
pub(crate) fn nearest<'a>(word: &str, listed: impl Iterator<Item = &'a str>) -> Option<String> {
    if word.len() > WORD_MAX {
        return None;
    }
    let word = word.to_ascii_lowercase();
    let listed: BTreeSet<&str> = listed.flat_map(with_groups).collect();
    let listed = nearest::nearest(&word, listed.into_iter(), ALIKE);
    listed.or_else(|| nearest::nearest(&word, known_names(), ALIKE)).map(str::to_owned)
}

/// The command most similar to `word`, if a name may have been meant as a command.
pub(crate) fn command<'a>(
    word: &str,
    commands: impl Iterator<Item = &'a str> + Clone,
) -> Option<String> {
    /// Commands are short: a word of four letters with two of them swapped is still the same
    /// command.
    const ALIKE: f64 = 0.75;
    let word = word.to_ascii_lowercase();
    // One of three letters with two of them swapped is less similar than that.
    let swapped = with_the_same_letters(&word, commands.clone());
    let command = swapped.or_else(|| nearest::nearest(&word, commands, ALIKE))?;
    (!word.contains('.')).then(|| command.to_owned())
}

/// The first of `words` that has the letters of `word`, in whatever order.
pub(crate) fn with_the_same_letters<'a>(
    word: &str,
    mut words: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    let sorted = |word: &str| {
        let mut letters: Vec<char> = word.chars().collect();
        letters.sort_unstable();
        letters
    };
    let letters = sorted(word);
    words.find(|other| sorted(other) == letters)
}

/// `vm.cpu.delay`, `vm.cpu` and `vm`.
pub(crate) fn with_groups(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(name), |name| name.rsplit_once('.').map(|(group, _)| group))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LISTED: [&str; 4] = ["loadavg.1", "memory.total", "vm.disk.vda.latency", "custom.rack"];

    fn near(word: &str) -> Option<String> {
        nearest(word, LISTED.into_iter())
    }

    #[test]
    fn a_misspelt_name_is_near_the_one_that_was_meant() {
        for (word, name) in [
            ("memroy.total", "memory.total"),
            ("laodavg", "loadavg"),
            ("LOADAVG1", "loadavg.1"),
            ("vm.disk.vda.latancy", "vm.disk.vda.latency"),
            ("custom.rakc", "custom.rack"),
        ] {
            assert_eq!(near(word).as_deref(), Some(name), "{word}");
        }
    }

    #[test]
    fn a_name_that_the_host_does_not_list_is_near_too() {
        assert_eq!(near("hots.name").as_deref(), Some("host.name"));
        assert_eq!(near("physcpu").as_deref(), Some("physcpus"));
    }

    #[test]
    fn nonsense_is_near_nothing() {
        for word in ["xyzzy", "", &"memory".repeat(1000)] {
            assert_eq!(near(word), None, "{word}");
        }
    }

    #[test]
    fn a_command_may_be_misspelt_too() {
        let near = |word| command(word, ["list", "ping", "diagnose", "top"].into_iter());
        assert_eq!(near("tpo").as_deref(), Some("top"));
        assert_eq!(near("lsit").as_deref(), Some("list"));
        assert_eq!(near("diagnos").as_deref(), Some("diagnose"));
        assert_eq!(near("physcpus"), None);
    }

    proptest! {
        #[test]
        fn any_word_has_an_answer(word in "\\PC{0,120}") {
            let _ = (near(&word), command(&word, ["list"].into_iter()));
        }
    }
}
