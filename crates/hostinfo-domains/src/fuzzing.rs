//! Gives `fuzz/` access to code that it cannot reach otherwise.

use crate::lines::Lines;

/// Splits bytes that come in chunks into lines. A final `None` means that the next line is too
/// long.
pub fn lines<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> Vec<Option<Vec<u8>>> {
    let (mut lines, mut found) = (Lines::default(), Vec::new());
    for chunk in chunks {
        lines.add(chunk);
        loop {
            match lines.next() {
                Ok(Some(line)) => found.push(Some(line.to_owned())),
                Ok(None) => break,
                Err(_) => {
                    found.push(None);
                    return found;
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Answer;

    #[test]
    fn the_seeds_of_the_fuzzer_are_lines() {
        for (seed, count) in [("messages", 2), ("empty", 4)] {
            let bytes = std::fs::read(format!("../../fuzz/seeds/lines/{seed}")).unwrap();
            // The first byte decides where to cut.
            assert_eq!(lines([&bytes[1..]].into_iter()).len(), count, "{seed}");
        }
        assert_eq!(std::fs::read_dir("../../fuzz/seeds/lines").unwrap().count(), 2);
    }

    #[test]
    fn the_helpers_seeds_of_the_fuzzer_are_answers_of_today() {
        for seed in std::fs::read_dir("../../fuzz/seeds/answer").unwrap() {
            let path = seed.unwrap().path();
            let line = std::fs::read_to_string(&path).unwrap();
            if path.file_name().unwrap().to_str().unwrap().starts_with("helper-") {
                let answer: Answer = serde_json::from_str(&line).unwrap();
                let again = serde_json::to_string(&answer).unwrap();
                assert_eq!(again, line.trim_end(), "{}", path.display());
            }
        }
    }
}
