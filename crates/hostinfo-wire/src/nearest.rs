//! Finds the word that a misspelt one was meant to be.

/// How similar two words must be for one to be taken for the other: their Jaro-Winkler similarity, from 0 to 1.
/// `mem` is similar to `memory`; `foo` is similar to nothing.
pub const ALIKE: f64 = 0.8;

/// The one of `words` that is most similar to `word`, with a similarity of at least `alike`; of
/// several, the first in alphabetical order. Case matters.
pub fn nearest<W: AsRef<str>>(word: &str, words: impl Iterator<Item = W>, alike: f64) -> Option<W> {
    words
        .map(|other| (likeness(other.as_ref(), word), other))
        .filter(|(likeness, _)| *likeness >= alike)
        .max_by(|(a, one), (b, other)| {
            a.total_cmp(b).then_with(|| other.as_ref().cmp(one.as_ref()))
        })
        .map(|(_, word)| word)
}

/// Jaro-Winkler does not see that two letters of a word of three have changed places, as in `wbe`.
fn likeness(a: &str, b: &str) -> f64 {
    let likeness = strsim::jaro_winkler(a, b);
    let is_swapped = a.len() == 3
        && b.len() == 3
        && strsim::osa_distance(a, b) == 1
        && strsim::levenshtein(a, b) == 2;
    if is_swapped { likeness.max(ALIKE) } else { likeness }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_the_one_most_alike_and_the_first_of_several() {
        let near = |word: &str| nearest(word, ["web2", "web1", "mail"].into_iter(), ALIKE);
        assert_eq!(near("mial"), Some("mail"));
        assert_eq!(near("web"), Some("web1"));
        assert_eq!(near("xyzzy"), None);
        assert_eq!(near(""), None);
        assert_eq!(nearest("wbe", ["db", "web"].into_iter(), ALIKE), Some("web"));
    }
}
