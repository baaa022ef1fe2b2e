//! Words joined as in a sentence.

use std::borrow::Borrow;

/// `a, b and c`
pub(crate) fn list<S: Borrow<str>>(words: &[S]) -> String {
    match words.split_last() {
        None => String::new(),
        Some((last, [])) => last.borrow().to_owned(),
        Some((last, before)) => format!("{} and {}", before.join(", "), last.borrow()),
    }
}
