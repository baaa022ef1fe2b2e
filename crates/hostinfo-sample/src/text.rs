//! Words and numbers in the kernel's text. All functions are total: unexpected forms give `None`.

use memchr::memchr;

/// The lines, without their ends.
pub(crate) fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest.take()?;
        let end = memchr(b'\n', text).unwrap_or(text.len());
        rest = text.get(end.saturating_add(1)..);
        text.get(..end)
    })
}

/// The words between blanks.
pub(crate) fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = line;
    std::iter::from_fn(move || {
        let begun = rest.trim_ascii_start();
        let end = begun.iter().position(u8::is_ascii_whitespace).unwrap_or(begun.len());
        let (word, behind) = begun.split_at_checked(end)?;
        rest = behind;
        (!word.is_empty()).then_some(word)
    })
}

/// A line `KEY:VALUE` or `KEY : VALUE`, without the blanks.
pub(crate) fn key_and_value(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr(b':', line)?;
    let (key, rest) = line.split_at_checked(colon)?;
    Some((key.trim_ascii(), rest.get(1..)?.trim_ascii()))
}

/// The figure after a key. The outer `None`: there is no such line; the inner `None`: the line has
/// no figure.
pub(crate) type Figure = Option<Option<u64>>;

/// The figures of lines `KEY NUMBER` with these keys.
pub(crate) fn numbers<const N: usize>(text: &[u8], keys: [&str; N]) -> [Figure; N] {
    let is_behind = |rest: &[u8]| rest.first().is_none_or(|byte| *byte == b' ');
    behind(keys, text, |rest| is_behind(rest).then(|| words(rest).next().and_then(number)))
}

/// The figures of lines `KEY: NUMBER kB` with these keys, in bytes: the kernel's kB are KiB.
/// Without `kB`, the number is taken as it is.
pub(crate) fn amounts<const N: usize>(text: &[u8], keys: [&str; N]) -> [Figure; N] {
    behind(keys, text, |rest| {
        let mut words = words(rest.trim_ascii_start().strip_prefix(b":")?);
        let figure = words.next().and_then(number);
        Some(match words.next() {
            None => figure,
            Some(b"kB") => figure.and_then(|figure| figure.checked_mul(1024)),
            Some(_) => None,
        })
    })
}

/// The figures of lines that begin with these keys. `figure` gets what is behind one, and returns `None` if the line has
/// another key, which only begins like it.
fn behind<const N: usize>(
    keys: [&str; N],
    text: &[u8],
    figure: impl Fn(&[u8]) -> Figure,
) -> [Figure; N] {
    let mut figures = [None; N];
    for line in lines(text) {
        for (found, key) in figures.iter_mut().zip(keys) {
            // Most lines have another first letter than all keys.
            if line.first() != key.as_bytes().first() {
                continue;
            }
            if let Some(told) = line.strip_prefix(key.as_bytes()).and_then(&figure) {
                *found = Some(told);
                break;
            }
        }
    }
    figures
}

/// The figure of what is `wanted`, from `figures` in the order of its table; the sum if several
/// lines are part of it.
pub(crate) fn figure_of<K: PartialEq, const N: usize>(
    wanted: K,
    table: &[(&str, K); N],
    figures: &[Figure; N],
) -> Figure {
    let of_it = figures.iter().zip(table).filter(|(_, (_, what))| *what == wanted);
    let there = of_it.filter_map(|(figure, _)| *figure);
    there.reduce(|sum, figure| Some(sum?.saturating_add(figure?)))
}

/// A decimal number without a sign.
pub(crate) fn number(word: &[u8]) -> Option<u64> {
    let number = word.iter().try_fold(0u64, |number, byte| {
        let digit = char::from(*byte).to_digit(10)?;
        number.checked_mul(10)?.checked_add(digit.into())
    });
    number.filter(|_| !word.is_empty())
}

/// Takes the first word off a line. `None` if there is none, or it is no number. This takes half of the instructions of
/// [`words`] and [`number`], for lines of numbers that are read for each thread or CPU.
pub(crate) fn take_number(line: &mut &[u8]) -> Option<u64> {
    /// Numbers of so many digits are below 2^64.
    const SURELY_FIT: usize = 19;
    let begun = line.trim_ascii_start();
    let digits = begun.iter().map(|byte| byte.wrapping_sub(b'0')).take_while(|digit| *digit < 10);
    let (value, length) = digits.take(SURELY_FIT).fold((0u64, 0), |(value, length), digit| {
        (value.wrapping_mul(10).wrapping_add(digit.into()), length + 1)
    });
    let rest = begun.get(length..).unwrap_or_default();
    if length > 0 && rest.first().is_none_or(u8::is_ascii_whitespace) {
        *line = rest;
        return Some(value);
    }
    let end = begun.iter().position(u8::is_ascii_whitespace).unwrap_or(begun.len());
    let (word, rest) = begun.split_at_checked(end)?;
    *line = rest;
    number(word)
}

/// The number that makes up a whole file.
pub(crate) fn only_number(text: &[u8]) -> Option<u64> {
    number(text.trim_ascii())
}

/// A number with up to six decimals, exactly, in millionths.
pub(crate) fn millionths(word: &[u8]) -> Option<u64> {
    let mut parts = word.splitn(2, |byte| *byte == b'.');
    let whole = number(parts.next()?)?;
    let part = match parts.next() {
        None => 0,
        Some(digits) => {
            let missing = 6u32.checked_sub(u32::try_from(digits.len()).ok()?)?;
            number(digits)? * 10u64.pow(missing)
        }
    };
    whole.checked_mul(1_000_000)?.checked_add(part)
}

/// The first line as text, if it is not empty.
pub(crate) fn first_line(text: &[u8]) -> Option<String> {
    let line = String::from_utf8_lossy(lines(text).next()?);
    let line = line.trim_matches(|c: char| c.is_whitespace() || c.is_control());
    (!line.is_empty()).then(|| line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_number_is_digits_and_nothing_else() {
        assert_eq!(number(b"18446744073709551615"), Some(u64::MAX));
        for word in ["", "-1", "+1", "1.5", "0x1", "1 ", "18446744073709551616", "1\0"] {
            assert_eq!(number(word.as_bytes()), None, "{word:?}");
        }
    }

    #[test]
    fn decimals_are_read_exactly() {
        assert_eq!(millionths(b"0.12"), Some(120_000));
        assert_eq!(millionths(b"7"), Some(7_000_000));
        assert_eq!(millionths(b"100.000001"), Some(100_000_001));
        for word in ["", ".5", "1.", "1.2.3", "0.0000001", "-0.5", "1e3", "18446744073709551615.0"]
        {
            assert_eq!(millionths(word.as_bytes()), None, "{word:?}");
        }
    }

    #[test]
    fn a_key_ends_at_the_first_colon() {
        assert_eq!(key_and_value(b"cpu\t\t: a: b "), Some((&b"cpu"[..], &b"a: b"[..])));
        assert_eq!(key_and_value(b"cpu"), None);
    }

    #[test]
    fn keys_that_begin_alike_are_told_apart() {
        let text = b"CachedX: 1 kB\nCached : 7 kB\nSwapCached: 9 kB\nCach: 3\n";
        assert_eq!(
            amounts(text, ["Cached", "Cach", "Ca"]),
            [Some(Some(7168)), Some(Some(3)), None]
        );
        assert_eq!(numbers(b"pgin_x 1\npgin 2\npg 3\n", ["pgin", "p"]), [Some(Some(2)), None]);
    }

    #[test]
    fn numbers_are_taken_off_a_line_until_it_ends() {
        let mut line = &b" 12\t18446744073709551615 18446744073709551616 -1 x 7 "[..];
        let all = [(); 8].map(|()| take_number(&mut line));
        assert_eq!(all, [Some(12), Some(u64::MAX), None, None, None, Some(7), None, None]);
    }

    #[test]
    fn a_first_line_of_blanks_is_no_text() {
        assert_eq!(first_line(b" Intel  \nx"), Some("Intel".to_owned()));
        assert_eq!(first_line(b"\0 \t\nx"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_answer(bytes: Vec<u8>) {
            let _ = (number(&bytes), millionths(&bytes), first_line(&bytes), key_and_value(&bytes));
            for line in lines(&bytes) {
                let (mut rest, mut taken) = (line, Vec::new());
                taken.resize_with(words(line).count(), || take_number(&mut rest));
                prop_assert_eq!(taken, words(line).map(number).collect::<Vec<_>>());
                let _ = words(line).count();
            }
            let _ = (numbers(&bytes, ["a", "b"]), amounts(&bytes, ["a", "b"]));
        }
    }
}
