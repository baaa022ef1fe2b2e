//! An error of a file, in words.

use std::io;

/// What the system says of an error, without its number, which helps nobody to mend a file.
#[must_use]
pub fn in_words(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error ").next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_words_and_no_number() {
        let missing = io::Error::from_raw_os_error(2);
        assert!(missing.to_string().ends_with(" (os error 2)"));
        assert_eq!(format!("{} (os error 2)", in_words(&missing)), missing.to_string());
        assert_eq!(in_words(&io::Error::other("not a recording")), "not a recording");
    }
}
