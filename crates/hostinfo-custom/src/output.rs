//! The contents of a file or the output of a command, checked against the statistic's kind.

use hostinfo_catalog::Kind;
use hostinfo_wire::Value;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::limits::{OUTPUT_MAX, TEXT_MAX};

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Output {
    /// Printable, not empty.
    Text(String),
    /// In millionths, within the range of [`number_value`].
    Number(i128),
}

/// Millionths in a whole.
const WHOLE: i128 = 1_000_000;

/// Reads a whole output: one line, possibly with blanks around it.
///
/// # Errors
/// If it is too long, not text, empty, more than a line, or not of that kind.
pub(crate) fn read(kind: Kind, bytes: &[u8]) -> Result<Output, Failure> {
    let malformed = |expected: String| {
        Err(Failure::Malformed { expected: expected.into(), found: bytes.to_owned() })
    };
    if bytes.len() > OUTPUT_MAX {
        return Err(Failure::TooLong);
    }
    let Ok(text) = str::from_utf8(bytes) else { return malformed("text in UTF-8".to_owned()) };
    let line = text.trim();
    if line.is_empty() || line.contains('\n') {
        return malformed("one line".to_owned());
    }
    match kind {
        Kind::Info => match Value::text(line) {
            Value::Text(text) if !text.is_empty() && text.len() <= TEXT_MAX => {
                Ok(Output::Text(text.into_owned()))
            }
            _ => malformed(format!("a line of at most {TEXT_MAX} bytes")),
        },
        Kind::Gauge | Kind::Counter => match number(line) {
            Some(number) if kind == Kind::Gauge || number >= 0 => Ok(Output::Number(number)),
            Some(_) => malformed("a non-negative number".to_owned()),
            None => malformed("a decimal number without an exponent".to_owned()),
        },
    }
}

/// A decimal number in millionths, rounded to the nearest.
fn number(word: &str) -> Option<i128> {
    let (sign, digits) = word.strip_prefix('-').map_or((1, word), |digits| (-1, digits));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_number = |digits: &str| digits.bytes().all(|b| b.is_ascii_digit()) && !digits.is_empty();
    if !is_number(whole) || !is_number(part) {
        return None;
    }
    let whole = i128::from(whole.parse::<u64>().ok()?);
    let digits = part.bytes().chain(std::iter::repeat(b'0')).map(|digit| i128::from(digit - b'0'));
    // Six digits, and a seventh for rounding.
    let part = (digits.take(7).fold(0, |part, digit| part * 10 + digit) + 5) / 10;
    let number = sign * (whole * WHOLE + part);
    number_value(number).map(|_| number)
}

/// A number of millionths in its wire form. Beyond 9.2 million millions, decimals are rounded away.
/// `None` for a negative number beyond that, and for one over 2^64 - 1.
pub(crate) fn number_value(millionths: i128) -> Option<Value<'static>> {
    let rounded = || u64::try_from((millionths + WHOLE / 2) / WHOLE).ok().map(Value::Whole);
    if millionths >= 0 && millionths % WHOLE == 0 {
        rounded()
    } else {
        i64::try_from(millionths).map_or_else(
            |_| rounded().filter(|_| millionths > 0),
            |micros| Some(Value::Micro(micros)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostinfo_wire::text::is_printable;
    use proptest::prelude::*;

    fn value(kind: Kind, text: &str) -> Option<String> {
        match read(kind, text.as_bytes()).ok()? {
            Output::Text(text) => Some(text),
            Output::Number(number) => Some(number_value(number).unwrap().to_string()),
        }
    }

    #[test]
    fn a_figure_is_a_decimal_number_and_nothing_else() {
        for (text, told) in [
            ("0\n", "0"),
            (" 42 \r\n\n", "42"),
            ("-1.5", "-1.5"),
            ("-3", "-3"),
            ("007.50", "7.5"),
            ("1.0000005", "1.000001"),
            ("0.99999999", "1"),
            ("18446744073709551615", "18446744073709551615"),
            ("9223372036854.775807", "9223372036854.775807"),
            ("9223372036854.775808", "9223372036855"),
            ("18446744073709551614.7", "18446744073709551615"),
        ] {
            assert_eq!(value(Kind::Gauge, text).as_deref(), Some(told), "{text}");
        }
        for text in [
            "",
            "\n",
            "nan",
            "inf",
            "1e3",
            "0x1",
            "+1",
            ".5",
            "5.",
            "1,5",
            "1 2",
            "--1",
            "1\n2",
            "18446744073709551616",
            "18446744073709551615.5",
            "-9223372036855",
            "٣",
            "1\0",
        ] {
            assert_eq!(value(Kind::Gauge, text), None, "{text:?}");
        }
    }

    #[test]
    fn a_counter_is_not_negative() {
        assert_eq!(value(Kind::Counter, "0.5").as_deref(), Some("0.5"));
        assert_eq!(value(Kind::Counter, "-0.5"), None);
    }

    #[test]
    fn an_info_is_one_line_of_text() {
        assert_eq!(value(Kind::Info, " Regal 7\tÜ \n").as_deref(), Some("Regal 7 Ü"));
        assert_eq!(value(Kind::Info, &"x".repeat(TEXT_MAX)).map(|text| text.len()), Some(TEXT_MAX));
        for text in ["", " \n", "a\nb", "\u{1}", &"x".repeat(TEXT_MAX + 1)] {
            assert_eq!(value(Kind::Info, text), None, "{text:?}");
        }
        assert!(matches!(read(Kind::Info, b"\xFF"), Err(Failure::Malformed { .. })));
        assert!(matches!(read(Kind::Info, &[b'x'; OUTPUT_MAX + 1]), Err(Failure::TooLong)));
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_answer_that_is_a_line(bytes: Vec<u8>) {
            for kind in Kind::ALL {
                let told = str::from_utf8(&bytes).ok().and_then(|text| value(kind, text));
                prop_assert!(told.is_none_or(|told| told.chars().all(is_printable)));
            }
        }

        #[test]
        fn numbers_are_told_as_they_were_written(micros: i64) {
            let written = Value::Micro(micros).to_string();
            prop_assert_eq!(value(Kind::Gauge, &written), Some(written));
        }
    }
}
