//! Finds the word that a misspelt one was meant to be.

/// How similar two words must be for one to be taken for the other: their Jaro-Winkler similarity, from 0 to 1.
/// `mem` is similar to `memory`; `foo` is similar to nothing.
pub const ALIKE: f64 = 0.8;

/// Unless it is the beginning of the other, a word has at most one mistake in this many letters: Jaro-Winkler favours
/// words that begin alike, such as `nothing.x` and `notice.1`.
const LETTERS_A_MISTAKE: usize = 3;

/// The one of `words` that is most similar to `word`, with a similarity of at least `alike` and few mistakes; of
/// several, the first in alphabetical order. Case matters.
pub fn nearest<W: AsRef<str>>(word: &str, words: impl Iterator<Item = W>, alike: f64) -> Option<W> {
    words
        .map(|other| (likeness(other.as_ref(), word), other))
        .filter(|(likeness, other)| *likeness >= alike && has_few_mistakes(word, other.as_ref()))
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

fn has_few_mistakes(word: &str, meant: &str) -> bool {
    let letters = word.chars().count().max(meant.chars().count());
    meant.starts_with(word)
        || strsim::osa_distance(word, meant) <= letters.div_ceil(LETTERS_A_MISTAKE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_the_one_most_alike_and_of_several_the_first_in_the_alphabet() {
        let near = |word: &str| nearest(word, ["web2", "web1", "mail"].into_iter(), ALIKE);
        assert_eq!(near("mial"), Some("mail"));
        assert_eq!(near("web"), Some("web1"));
        assert_eq!(near("xyzzy"), None);
        assert_eq!(near(""), None);
        assert_eq!(nearest("wbe", ["db", "web"].into_iter(), ALIKE), Some("web"));
    }

    #[test]
    fn a_word_that_only_begins_alike_is_not_near() {
        for (word, other) in
            [("nothing.x", "notice.1"), ("nothing.x", "notice.N"), ("diskette", "diagnose")]
        {
            assert_eq!(nearest(word, [other].into_iter(), ALIKE), None, "{word}");
        }
        for (word, meant) in
            [("mem", "memory.total"), ("mem.free", "memory.free"), ("loadvag.1", "loadavg.1")]
        {
            assert_eq!(nearest(word, [meant].into_iter(), ALIKE), Some(meant), "{word}");
        }
    }
}
