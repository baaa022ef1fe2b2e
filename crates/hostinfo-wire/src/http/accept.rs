//! `Accept` (RFC 9110, 12.5.1): which of the two text formats a scraper would rather read.

/// The versions of OpenMetrics that can read ours: what 1.0 adds to 0.0.1 is not used here.
const OPENMETRICS: Type =
    Type { name: "application/openmetrics-text", versions: &["1.0.0", "0.0.1"] };
const CLASSIC: Type = Type { name: "text/plain", versions: &["0.0.4"] };

/// A format that can be sent.
struct Type {
    /// Its media type.
    name: &'static str,
    /// What a client may say of its version, if anything.
    versions: &'static [&'static str],
}

/// Quality, from 0 (not acceptable) to 1000: `q` has up to three decimals.
type Quality = u16;

/// How well a range of media types fits: a more specific one overrules others, whatever their order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    /// No range fits: the format is not acceptable.
    #[default]
    No,
    /// `*/*`
    Anything,
    /// `text/*`
    Kind,
    /// The type itself.
    Exact,
}

/// Whether to send OpenMetrics rather than the classic format to a client with that `Accept`, whose lines are joined by
/// commas. The classic format is sent to everybody who does not ask for OpenMetrics by its name, such as curl and
/// node_exporter's readers, and to those who would rather have it. Whoever accepts neither gets it as well.
pub(super) fn wants_openmetrics(accept: &str) -> bool {
    let (fit, openmetrics) = quality(accept, &OPENMETRICS);
    let (_, classic) = quality(accept, &CLASSIC);
    fit == Fit::Exact && openmetrics > 0 && openmetrics >= classic
}

/// How much a client wants a format, and by what kind of range it says so. The work is linear in the length of `accept`.
fn quality(accept: &str, format: &Type) -> (Fit, Quality) {
    let fitting = accept.split(',').filter_map(|range| fitting(range, format));
    // Of several that fit as well, such as one for each version, the best counts.
    fitting.max().unwrap_or_default()
}

/// The quality of a format by one media range with its parameters, if the range has the format in it.
fn fitting(range: &str, format: &Type) -> Option<(Fit, Quality)> {
    let mut parts = range.split(';').map(str::trim);
    let name = parts.next()?.to_ascii_lowercase();
    let fit = match name.strip_suffix("/*") {
        Some("*") => Fit::Anything,
        Some(kind) if format.name.split('/').next() == Some(kind) => Fit::Kind,
        _ if name == format.name => Fit::Exact,
        _ => return None,
    };
    let mut quality = 1000;
    for (name, value) in parts.filter_map(|part| part.split_once('=')) {
        let value = value.trim().trim_matches('"');
        match name.trim().to_ascii_lowercase().as_str() {
            "q" => quality = thousandths(value)?,
            "version" if !format.versions.contains(&value) => return None,
            _ => {}
        }
    }
    Some((fit, quality))
}

/// `0.3` as 300. `None` for what is no quality: the range is passed over.
fn thousandths(text: &str) -> Option<Quality> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let decimals: Quality = format!("{decimals:0<3}").parse().ok()?;
    match (whole, decimals) {
        ("0", decimals) => Some(decimals),
        ("1", 0) => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What Debian's Prometheus 2.42, 2.53 and 3.5 send, as it came.
    const PROMETHEUS: [&str; 3] = [
        "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
         text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
        "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,\
         text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
         application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
         text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
    ];

    #[test]
    fn prometheus_gets_openmetrics() {
        for accept in PROMETHEUS {
            assert!(wants_openmetrics(accept), "{accept}");
        }
    }

    #[test]
    fn a_client_that_does_not_name_openmetrics_gets_the_classic_format() {
        for accept in
            ["", "*/*", "application/*", "text/plain", "text/html,*/*;q=0.8", "application/json"]
        {
            assert!(!wants_openmetrics(accept), "{accept}");
        }
    }

    #[test]
    fn the_better_quality_decides_whatever_the_order() {
        for (accept, wanted) in [
            ("application/openmetrics-text;q=0.5,text/plain;q=0.6", false),
            ("text/plain;q=0.6,application/openmetrics-text;q=0.5", false),
            ("text/plain;q=0.5,application/openmetrics-text;q=0.6", true),
            ("text/plain,Application/OpenMetrics-Text ; Version=\"1.0.0\" ; Q=1.000", true),
            ("application/openmetrics-text;q=0.5,*/*;q=0.9", false),
            ("application/openmetrics-text;q=0,*/*", false),
            ("application/openmetrics-text;version=2.0.0,text/plain;q=0.1", false),
            (
                "application/openmetrics-text;version=2.0.0;q=0.9,application/openmetrics-text;q=0.2,text/plain;q=0.1",
                true,
            ),
            ("text/plain;version=1.0.0;q=0.9,application/openmetrics-text;q=0.2", true),
            ("application/openmetrics-text;q=1.5,text/plain;q=0.1", false),
        ] {
            assert_eq!(wants_openmetrics(accept), wanted, "{accept}");
        }
    }

    #[test]
    fn a_quality_has_up_to_three_decimals() {
        for (text, quality) in
            [("1", 1000), ("1.0", 1000), ("0.3", 300), ("0.001", 1), ("0", 0), ("0.", 0)]
        {
            assert_eq!(thousandths(text), Some(quality), "{text}");
        }
        for text in ["", "2", "-1", "1.001", "0.0001", ".5", "0.+1", "x"] {
            assert_eq!(thousandths(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_decided_and_openmetrics_is_for_who_names_it(accept in "([a-z*/;=,q.0-9 \"]|application/openmetrics-text|\\PC){0,60}") {
            if wants_openmetrics(&accept) {
                prop_assert!(accept.to_ascii_lowercase().contains("application/openmetrics-text"));
            }
        }
    }
}
