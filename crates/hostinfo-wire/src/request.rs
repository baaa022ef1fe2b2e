//! Parses a line into a request, with pure and total functions.

use crate::limits::TOKEN_MAX;

/// The path that vhostmd's clients request. Case matters, as in HTTP.
pub const VHOSTMD_PATH: &str = "/metrics/XML";

/// A verb: its help, and how the words after it are parsed.
pub struct Verb {
    word: &'static str,
    /// The verb and what follows it.
    usage: &'static str,
    /// One line of help.
    help: &'static str,
    read: Read,
}

/// Parses what follows the verb; the usage is for the error message.
type Read = for<'a> fn(&'a str, &'static str) -> Result<Request<'a>, Malformed>;

/// Every verb, in the order in which `help` shows them.
pub const VERBS: [Verb; 7] = [
    verb("get NAME...", "one line a statistic: NAME=VALUE", |rest, usage| match rest {
        VHOSTMD_PATH => Ok(Request::Vhostmd),
        names => named(names, usage).map(Request::Get),
    }),
    verb("json NAME...", "the same selection as one JSON object on one line", |rest, usage| {
        named(rest, usage).map(Request::Json)
    }),
    verb(
        "metrics [NAME...]",
        "the same selection as OpenMetrics text; all without a NAME",
        |rest, _| Ok(Request::Metrics(named_or_all(rest))),
    ),
    verb("list [NAME...]", "what this guest may ask: NAME KIND UNIT DESCRIPTION", |rest, _| {
        Ok(Request::List(named_or_all(rest)))
    }),
    verb("ping [TOKEN]", "pong TOKEN", |rest, usage| token(rest, usage).map(Request::Ping)),
    verb("version", "the protocol's name and version", |rest, usage| {
        alone(rest, usage, Request::Version)
    }),
    verb(
        "help",
        "this; NAME is a statistic, a group of them (memory, vm.cpu) or *",
        |rest, usage| alone(rest, usage, Request::Help),
    ),
];

/// A line without a verb.
const PLAIN: (&str, &str) = ("NAME...", "the same");

/// `get` with [`VHOSTMD_PATH`].
const VHOSTMD: (&str, &str) = ("GET /metrics/XML", "vhostmd's document");

const fn verb(usage: &'static str, help: &'static str, read: Read) -> Verb {
    let (mut end, mut rest) = (0, usage.as_bytes());
    while let Some((b'!'.., behind)) = rest.split_first() {
        (end, rest) = (end + 1, behind);
    }
    let (word, _) = usage.split_at(end);
    Verb { word, usage, help, read }
}

impl Verb {
    /// Its first word: no statistic's name may begin with it.
    pub fn word(&self) -> &'static str {
        self.word
    }
}

/// The usage of every request and its line of help, in the order in which `help` shows them.
pub fn help() -> impl Iterator<Item = (&'static str, &'static str)> {
    let line = |verb: &Verb| (verb.usage, verb.help);
    let (get, others) = VERBS.split_at(1);
    get.iter().map(line).chain([PLAIN]).chain(others.iter().map(line)).chain([VHOSTMD])
}

/// A guest's request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request<'a> {
    /// Statistics as text, a line each.
    Get(Names<'a>),
    /// Statistics as one JSON object.
    Json(Names<'a>),
    /// Statistics as OpenMetrics text.
    Metrics(Names<'a>),
    /// The names that may be requested.
    List(Names<'a>),
    /// Check whether the host answers.
    Ping(Option<&'a str>),
    /// The version of the protocol.
    Version,
    /// The list of requests.
    Help,
    /// vhostmd's document.
    Vhostmd,
}

/// The names in a request: at least one; `*` if the guest gave none and need not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Names<'a>(&'a str);

impl<'a> Names<'a> {
    /// The names in the order in which the guest gave them. They are just words, and may not name
    /// anything.
    pub fn iter(self) -> impl Iterator<Item = &'a str> {
        words(self.0)
    }
}

/// Why a line is not a request. Its text follows the code 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// Over [`crate::limits::LINE_MAX`] bytes.
    TooLong,
    /// Control characters, or not UTF-8.
    NotText,
    /// A verb with too few or too many words.
    Usage(&'static str),
    /// A token that `ping` does not return.
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
    /// [`Malformed`] if the line is not text or misuses a verb. Whether a name exists is not
    /// checked here.
    pub fn parse(line: &'a [u8]) -> Result<Self, Malformed> {
        let text = std::str::from_utf8(line).map_err(|_| Malformed::NotText)?;
        if text.chars().any(|c| c != '\t' && c.is_control()) {
            return Err(Malformed::NotText);
        }
        let text = text.trim_matches(BLANKS);
        let (verb, rest) = text.split_once(BLANKS).unwrap_or((text, ""));
        let rest = rest.trim_matches(BLANKS);
        match VERBS.iter().find(|known| verb.eq_ignore_ascii_case(known.word)) {
            Some(verb) => (verb.read)(rest, verb.usage),
            None => named(text, PLAIN.0).map(Self::Get),
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

fn token<'a>(rest: &'a str, usage: &'static str) -> Result<Option<&'a str>, Malformed> {
    let mut words = words(rest);
    match (words.next(), words.next()) {
        (None, _) => Ok(None),
        (Some(_), Some(_)) => Err(Malformed::Usage(usage)),
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
    fn help_shows_every_verb_and_what_else_is_a_request() {
        let usages: Vec<&str> = help().map(|(usage, _)| usage).collect();
        assert_eq!(usages.len(), VERBS.len() + 2);
        for verb in &VERBS {
            assert!(usages.contains(&verb.usage), "{}", verb.usage);
            assert_eq!(verb.usage.split(' ').next(), Some(verb.word));
        }
        assert_eq!(usages[..2], ["get NAME...", "NAME..."]);
        assert_eq!(usages.last().copied(), Some(&*format!("GET {VHOSTMD_PATH}")));
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

    #[test]
    fn the_seeds_of_the_fuzzer_are_what_their_names_say() {
        for seed in std::fs::read_dir("../../fuzz/seeds/request").unwrap() {
            let path = seed.unwrap().path();
            let line = std::fs::read(&path).unwrap();
            let request = Request::parse(&line);
            let is_it = match path.file_name().unwrap().to_str().unwrap() {
                "get" | "name" => matches!(request, Ok(Request::Get(_))),
                "json" => matches!(request, Ok(Request::Json(_))),
                "metrics" => matches!(request, Ok(Request::Metrics(_))),
                "list" => matches!(request, Ok(Request::List(_))),
                "ping" => matches!(request, Ok(Request::Ping(Some(_)))),
                "version" => request == Ok(Request::Version),
                "vhostmd" => request == Ok(Request::Vhostmd),
                "usage" => matches!(request, Err(Malformed::Usage(_))),
                "control" | "not-text" => request == Err(Malformed::NotText),
                other => panic!("say here what {other} is"),
            };
            assert!(is_it, "{}: {request:?}", path.display());
        }
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_answer_and_a_request_for_names_has_at_least_one(
            line in prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..200),
                "[ \t]?(get|json|metrics|list|ping)?[a-z.*~ \t]{0,20}".prop_map(String::into_bytes),
            ],
        ) {
            use Request::{Get, Json, List, Metrics};
            if let Ok(Get(names) | Json(names) | Metrics(names) | List(names)) = Request::parse(&line) {
                prop_assert!(names.iter().next().is_some());
            }
        }
    }
}
