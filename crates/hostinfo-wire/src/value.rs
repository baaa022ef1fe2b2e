//! A statistic's value on the wire.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use crate::text::printable;

/// A value in base units: bytes, seconds, ratio, hertz, joules, CPUs.
///
/// It contains no floating point: the wire has six decimals and no exponent, which is exactly
/// [`Value::Micro`], so there is no NaN and no infinity, and writing a value rounds nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value<'a> {
    /// The rest of a line; see [`printable`].
    Text(Cow<'a, str>),
    /// A whole number of the unit.
    Whole(u64),
    /// Millionths of the unit.
    Micro(i64),
}

impl Value<'static> {
    /// Seconds, down to the microsecond. Times over 292,000 years are capped.
    pub fn seconds(duration: Duration) -> Self {
        Self::Micro(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX))
    }

    /// `part / whole` as a ratio from 0 to 1, rounded to the nearest millionth. If `part` exceeds
    /// `whole`, it is 1; 0 of 0 is 0.
    pub fn ratio(part: u64, whole: u64) -> Self {
        let whole = u128::from(whole.max(1));
        let part = u128::from(part).min(whole);
        Self::Micro(i64::try_from((part * 1_000_000 + whole / 2) / whole).unwrap_or(1_000_000))
    }

    /// A truth value: 0 or 1.
    pub fn truth(holds: bool) -> Self {
        Self::Whole(u64::from(holds))
    }
}

impl<'a> Value<'a> {
    /// Text as the wire carries it: see [`printable`].
    pub fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self::Text(printable(text.into()))
    }

    /// Writes what [`Display`](fmt::Display) writes, without the machinery of formats: most of what a host writes is values.
    pub(crate) fn write_to(&self, out: &mut impl fmt::Write) -> fmt::Result {
        match self {
            Self::Text(text) => out.write_str(text),
            Self::Whole(number) => out.write_str(itoa::Buffer::new().format(*number)),
            Self::Micro(micros) => write_micro(*micros, out),
        }
    }

    /// Whether the value is text.
    pub fn is_text(&self) -> bool {
        matches!(self, Self::Text(_))
    }
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_to(out)
    }
}

fn write_micro(micros: i64, out: &mut impl fmt::Write) -> fmt::Result {
    let (whole, part) = (micros.unsigned_abs() / 1_000_000, micros.unsigned_abs() % 1_000_000);
    let mut digits = itoa::Buffer::new();
    if micros < 0 {
        out.write_char('-')?;
    }
    out.write_str(digits.format(whole))?;
    if part == 0 {
        return Ok(());
    }
    // With a digit in front, which is left out, the others have their zeros.
    let six = digits.format(1_000_000 + part).get(1..).unwrap_or_default();
    out.write_char('.')?;
    out.write_str(six.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reals_have_no_exponent_and_at_most_six_decimals() {
        for (micros, text) in [
            (0, "0"),
            (1, "0.000001"),
            (500_000, "0.5"),
            (1_020_300, "1.0203"),
            (-1_500_000, "-1.5"),
            (-1, "-0.000001"),
            (i64::MAX, "9223372036854.775807"),
            (i64::MIN, "-9223372036854.775808"),
        ] {
            assert_eq!(Value::Micro(micros).to_string(), text);
        }
    }

    #[test]
    fn a_ratio_is_between_0_and_1() {
        assert_eq!(Value::ratio(1, 3), Value::Micro(333_333));
        assert_eq!(Value::ratio(5, 3), Value::Micro(1_000_000));
        assert_eq!(Value::ratio(0, 0), Value::Micro(0));
        assert_eq!(Value::ratio(u64::MAX, u64::MAX), Value::Micro(1_000_000));
    }

    proptest! {
        #[test]
        fn a_micro_is_written_exactly(micros in any::<i64>()) {
            let text = Value::Micro(micros).to_string();
            let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
            let padded = format!("{whole}{part:0<6}");
            prop_assert_eq!(padded.parse::<i128>().unwrap(), i128::from(micros));
        }
    }
}
