//! A line to a request: pure and total.

use crate::limits::TOKEN_MAX;

/// The path by which vhostmd's clients ask. Case counts, as in HTTP.
pub const VHOSTMD_PATH: &str = "/metrics/XML";

/// Every request with its one line of help, in the order in which `help` shows them.
pub const HELP: [(&str, &str); 9] = [
    ("get NAME...", "one line a statistic: NAME=VALUE"),
    ("NAME...", "the same"),
    ("json NAME...", "the same selection as one JSON object on one line"),
    ("metrics [NAME...]", "the same selection as OpenMetrics text; all without a NAME"),
    ("list [NAME...]", "what this guest may ask: NAME KIND UNIT DESCRIPTION"),
    ("ping [TOKEN]", "pong TOKEN"),
    ("version", "the protocol's name and version"),
    ("help", "this; NAME is a statistic, a group of them (memory, vm.cpu) or *"),
    ("GET /metrics/XML", "vhostmd's document"),
];

/// What a guest asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request<'a> {
    /// Statistics as text, a line each.
    Get(Names<'a>),
    /// Statistics as one JSON object.
    Json(Names<'a>),
    /// Statistics as OpenMetrics text.
    Metrics(Names<'a>),
    /// What may be asked.
    List(Names<'a>),
    /// Is anybody there?
    Ping(Option<&'a str>),
    /// Which protocol?
    Version,
    /// Which requests?
    Help,
    /// vhostmd's document.
    Vhostmd,
}

/// The names of a request: at least one, `*` where the guest named none and need not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Names<'a>(&'a str);

impl<'a> Names<'a> {
    /// The names in the order in which the guest gave them. They are words, not yet known
    /// to be names of anything.
    pub fn iter(self) -> impl Iterator<Item = &'a str> {
        words(self.0)
    }
}

/// Why a line is no request. Its text stands behind the code 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// Over [`crate::limits::LINE_MAX`] bytes.
    TooLong,
    /// Control characters, or not UTF-8.
    NotText,
    /// A verb with too few or too many words.
    Usage(&'static str),
    /// A token that `ping` does not hand back.
    Token,
}

impl std::fmt::Display for Malformed {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TooLong => out.write_str("line too long"),
            Self::NotText => out.write_str("not text"),
            Self::Usage(usage) => write!(out, "usage: {usage}"),
            Self::Token => write!(out, "a token is up to {TOKEN_MAX} printable ASCII characters"),
        }
    }
}

impl<'a> Request<'a> {
    /// Parses a line without its line end.
    ///
    /// # Errors
    /// [`Malformed`] where the line is no text or misuses a verb. Whether a name names
    /// anything is not decided here.
    pub fn parse(line: &'a [u8]) -> Result<Self, Malformed> {
        let text = std::str::from_utf8(line).map_err(|_| Malformed::NotText)?;
        if text.chars().any(|c| c != '\t' && c.is_control()) {
            return Err(Malformed::NotText);
        }
        let text = text.trim_matches(BLANKS);
        let (verb, rest) = text.split_once(BLANKS).unwrap_or((text, ""));
        let rest = rest.trim_matches(BLANKS);
        let is = |name: &str| verb.eq_ignore_ascii_case(name);

        if is("get") && rest == VHOSTMD_PATH {
            Ok(Self::Vhostmd)
        } else if is("get") {
            named(rest, "get NAME...").map(Self::Get)
        } else if is("json") {
            named(rest, "json NAME...").map(Self::Json)
        } else if is("metrics") {
            Ok(Self::Metrics(named_or_all(rest)))
        } else if is("list") {
            Ok(Self::List(named_or_all(rest)))
        } else if is("ping") {
            token(rest).map(Self::Ping)
        } else if is("version") {
            alone(rest, "version", Self::Version)
        } else if is("help") {
            alone(rest, "help", Self::Help)
        } else {
            named(text, "NAME...").map(Self::Get)
        }
    }
}

const BLANKS: [char; 2] = [' ', '\t'];

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(BLANKS).filter(|word| !word.is_empty())
}

fn named<'a>(rest: &'a str, usage: &'static str) -> Result<Names<'a>, Malformed> {
    if rest.is_empty() { Err(Malformed::Usage(usage)) } else { Ok(Names(rest)) }
}

fn named_or_all(rest: &str) -> Names<'_> {
    Names(if rest.is_empty() { "*" } else { rest })
}

fn token(rest: &str) -> Result<Option<&str>, Malformed> {
    let mut words = words(rest);
    match (words.next(), words.next()) {
        (None, _) => Ok(None),
        (Some(_), Some(_)) => Err(Malformed::Usage("ping [TOKEN]")),
        (Some(token), None) if token.len() <= TOKEN_MAX && token.is_ascii() => Ok(Some(token)),
        (Some(_), None) => Err(Malformed::Token),
    }
}

fn alone<'a>(
    rest: &str,
    usage: &'static str,
    request: Request<'a>,
) -> Result<Request<'a>, Malformed> {
    if rest.is_empty() { Ok(request) } else { Err(Malformed::Usage(usage)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(line: &str) -> Result<Request<'_>, Malformed> {
        Request::parse(line.as_bytes())
    }

    fn names(request: Result<Request<'_>, Malformed>) -> Vec<&str> {
        match request {
            Ok(Request::Get(n) | Request::Json(n) | Request::Metrics(n) | Request::List(n)) => {
                n.iter().collect()
            }
            other => panic!("no names in {other:?}"),
        }
    }

    #[test]
    fn a_line_whose_first_word_is_no_verb_is_a_get() {
        assert_eq!(parse(" \tphyscpus  loadavg "), Ok(Request::Get(Names("physcpus  loadavg"))));
        assert_eq!(names(parse("physcpus \t loadavg")), ["physcpus", "loadavg"]);
        assert_eq!(names(parse("get physcpus loadavg")), ["physcpus", "loadavg"]);
        assert_eq!(names(parse("physcpus json")), ["physcpus", "json"]);
    }

    #[test]
    fn verbs_are_not_case_sensitive_and_vhostmds_path_is() {
        assert_eq!(parse("PiNg X"), Ok(Request::Ping(Some("X"))));
        assert_eq!(parse("GET /metrics/XML"), Ok(Request::Vhostmd));
        assert_eq!(parse("get\t/metrics/XML "), Ok(Request::Vhostmd));
        assert_eq!(names(parse("GET /metrics/xml")), ["/metrics/xml"]);
    }

    #[test]
    fn metrics_and_list_without_a_name_mean_all() {
        assert_eq!(names(parse("metrics")), ["*"]);
        assert_eq!(names(parse("list")), ["*"]);
        assert_eq!(names(parse("list memory vm")), ["memory", "vm"]);
    }

    #[test]
    fn a_verb_with_too_few_or_too_many_words_is_malformed() {
        for line in ["get", "json ", "ping a b", "version 1", "help me"] {
            assert!(matches!(parse(line), Err(Malformed::Usage(_))), "{line}");
        }
    }

    #[test]
    fn a_token_is_64_printable_ascii_characters_at_most() {
        let longest = format!("ping {}", "~".repeat(TOKEN_MAX));
        assert!(matches!(parse(&longest), Ok(Request::Ping(Some(_)))));
        assert_eq!(parse(&format!("{longest}~")), Err(Malformed::Token));
        assert_eq!(parse("ping ä"), Err(Malformed::Token));
        assert_eq!(parse("ping"), Ok(Request::Ping(None)));
    }

    #[test]
    fn control_characters_and_broken_utf8_are_not_text() {
        for line in [&b"a\0"[..], b"a\rb", b"\x1b[A", b"a\x7f", "a\u{85}".as_bytes(), b"\xC3("] {
            assert_eq!(Request::parse(line), Err(Malformed::NotText), "{line:?}");
        }
        assert_eq!(names(parse("ümlaut \u{a0}")), ["ümlaut", "\u{a0}"]);
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_answer(line in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(Request::Get(names)) = Request::parse(&line) {
                let _ = names.iter().count();
            }
        }
    }
}
