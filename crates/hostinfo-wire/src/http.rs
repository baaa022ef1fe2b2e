//! The part of HTTP/1.1 (RFC 9112) that a scrape needs: one request, one answer, and the end. The
//! daemon uses it for its own metrics, and a guest's tool for the host's values.

mod accept;

use crate::prometheus::classic;

/// The most bytes of a request; those from Prometheus are a tenth of that.
pub const REQUEST_MAX: usize = 4096;

/// The most header lines of a request.
const HEADERS_MAX: usize = 64;

/// The path of the metrics.
const PATH: &str = "/metrics";

/// OpenMetrics 1.0, and the older text format that every scraper reads.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const CLASSIC: &str = "text/plain; version=0.0.4; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";

/// What to do about a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// Its end has not arrived yet.
    NotYet,
    /// It is not an HTTP request, or [`REQUEST_MAX`] bytes have arrived without its end, or it has over `HEADERS_MAX`
    /// header lines.
    Malformed,
    /// Send the metrics.
    Metrics(Wanted),
    /// Send this answer, which is complete: the request was refused.
    Answered(Vec<u8>),
}

/// In which form the metrics are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Whether the client wants OpenMetrics rather than the older text format.
    pub openmetrics: bool,
    /// Whether it wants the metrics themselves, and not only the head of the answer.
    pub body: bool,
}

/// Which values of `Host` a request may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hosts {
    /// Any: a reverse proxy passes on the host name that its own client used.
    Any,
    /// Only names of this machine. Otherwise a page in somebody's browser could make a name of its
    /// own point here: DNS rebinding.
    Local,
}

/// Evaluates what has arrived of a request: at most [`REQUEST_MAX`] bytes, plus whatever arrived
/// with the last of them.
pub fn parse(request: &[u8], hosts: Hosts) -> Asked {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut head = httparse::Request::new(&mut headers);
    let is_whole = match head.parse(request) {
        Ok(httparse::Status::Partial) if request.len() < REQUEST_MAX => return Asked::NotYet,
        Ok(status) => status.is_complete(),
        Err(_) => false,
    };
    let (Some(method), Some(target), true) = (head.method, head.path, is_whole) else {
        return Asked::Malformed;
    };
    let body = method != "HEAD";
    let named = |name: &'static str| {
        let named =
            head.headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name));
        named.map(|header| String::from_utf8_lossy(header.value))
    };
    let is_foreign = |host: &str| !is_local(&host.to_ascii_lowercase());
    if hosts == Hosts::Local && named("host").next().is_some_and(|host| is_foreign(&host)) {
        return Asked::Answered(refusal(
            "403 Forbidden",
            "only http://localhost is answered",
            body,
        ));
    }
    // A query string does not change the path.
    match (method, target.split_once('?').map_or(target, |(path, _)| path)) {
        ("GET" | "HEAD", PATH) => {
            let openmetrics =
                accept::wants_openmetrics(&named("accept").collect::<Vec<_>>().join(","));
            Asked::Metrics(Wanted { openmetrics, body })
        }
        ("GET" | "HEAD", _) => {
            Asked::Answered(refusal("404 Not Found", "there is only /metrics", body))
        }
        (_, _) => {
            let (status, text) = ("405 Method Not Allowed", "only GET and HEAD are answered\n");
            Asked::Answered(response(status, PLAIN, "Allow: GET, HEAD\r\n", text, true))
        }
    }
}

/// Whether a `Host` names this machine: with any port, a loopback address or `localhost`.
fn is_local(host: &str) -> bool {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.split(':').next().unwrap_or_default(),
    };
    name == "localhost"
        || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The answer with the metrics, which are `text` in OpenMetrics.
pub fn metrics(wanted: Wanted, text: &str) -> Vec<u8> {
    match wanted.openmetrics {
        true => response("200 OK", OPENMETRICS, "", text, wanted.body),
        false => response("200 OK", CLASSIC, "", &classic(text), wanted.body),
    }
}

/// The answer to [`Asked::Malformed`].
pub fn malformed(why: &str) -> Vec<u8> {
    refusal("400 Bad Request", why, true)
}

/// The answer without metrics: there are none at the moment, or not for this client.
pub fn unavailable(wanted: Wanted, why: &str) -> Vec<u8> {
    refusal("503 Service Unavailable", why, wanted.body)
}

fn refusal(status: &str, why: &str, wants_body: bool) -> Vec<u8> {
    response(status, PLAIN, "", &format!("{why}\n"), wants_body)
}

/// `more` contains header lines, each with its line end.
fn response(status: &str, kind: &str, more: &str, body: &str, wants_body: bool) -> Vec<u8> {
    let length = body.len();
    let body = if wants_body { body } else { "" };
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\
         Cache-Control: no-store\r\nConnection: close\r\n{more}\r\n{body}"
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GET: &str = "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:4679\r\nAccept: */*\r\n\r\n";

    fn status(request: impl AsRef<[u8]>) -> String {
        match parse(request.as_ref(), Hosts::Local) {
            Asked::Answered(answer) => {
                String::from_utf8(answer).unwrap().lines().next().unwrap().to_owned()
            }
            other => format!("{other:?}"),
        }
    }

    fn ask(request: impl AsRef<[u8]>) -> Asked {
        parse(request.as_ref(), Hosts::Local)
    }

    #[test]
    fn a_scraper_gets_the_format_that_it_reads() {
        let classic = Wanted { openmetrics: false, body: true };
        assert_eq!(ask(GET), Asked::Metrics(classic));
        let prometheus =
            GET.replace("*/*", "application/openmetrics-text;version=1.0.0,text/plain;q=0.5");
        let wanted = Wanted { openmetrics: true, body: true };
        assert_eq!(ask(prometheus), Asked::Metrics(wanted));
        let on_two_lines =
            GET.replace("*/*", "text/plain;q=0.5\r\naccept: application/openmetrics-text");
        assert_eq!(ask(on_two_lines), Asked::Metrics(wanted));
        assert_eq!(
            String::from_utf8(metrics(wanted, "x 1\n# EOF\n")).unwrap(),
            "HTTP/1.1 200 OK\r\nContent-Type: application/openmetrics-text; version=1.0.0; \
             charset=utf-8\r\nContent-Length: 10\r\nCache-Control: no-store\r\n\
             Connection: close\r\n\r\nx 1\n# EOF\n"
        );
        assert_eq!(
            String::from_utf8(metrics(classic, "x 1\n# EOF\n")).unwrap(),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n\
             Content-Length: 4\r\nCache-Control: no-store\r\nConnection: close\r\n\r\nx 1\n"
        );
    }

    #[test]
    fn head_gets_the_headers_without_the_body() {
        let Asked::Metrics(wanted) = ask(GET.replace("GET", "HEAD")) else { panic!() };
        let head = String::from_utf8(metrics(wanted, "x 1\n")).unwrap();
        assert!(head.ends_with("\r\n\r\n") && head.contains("Content-Length: 4\r\n"), "{head}");
    }

    #[test]
    fn a_request_for_a_foreign_host_name_is_refused_unless_any_name_will_do() {
        for host in ["localhost", "LOCALHOST:4679", "127.0.0.1", "127.9.9.9:1", "[::1]:4679"] {
            let asked = ask(GET.replace("127.0.0.1:4679", host));
            assert!(matches!(asked, Asked::Metrics(_)), "{host}");
        }
        for host in ["evil.example", "localhost.evil.example:4679", "10.0.0.1", "[::2]", "", "::1"]
        {
            let request = GET.replace("127.0.0.1:4679", host);
            assert_eq!(status(&request), "HTTP/1.1 403 Forbidden", "{host}");
            let by_any = parse(request.as_bytes(), Hosts::Any);
            assert!(matches!(by_any, Asked::Metrics(_)), "{host}");
        }
        assert!(matches!(ask("GET /metrics?x=/y HTTP/1.0\r\n\r\n"), Asked::Metrics(_)));
    }

    #[test]
    fn other_paths_and_methods_are_refused() {
        for path in ["/", "/metrics/", "/metric", "*", "/metrics%00", "http://h/metrics"] {
            let request = GET.replace("/metrics", path);
            assert_eq!(status(&request), "HTTP/1.1 404 Not Found", "{path}");
        }
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "get"] {
            let Asked::Answered(answer) = ask(GET.replace("GET", method)) else { panic!() };
            let answer = String::from_utf8(answer).unwrap();
            assert!(answer.starts_with("HTTP/1.1 405 ") && answer.contains("\r\nAllow: GET, HEAD"));
        }
        for request in
            ["\0", "GET\r\n\r\n", "GET /metrics HTTP/2.0\r\n\r\n", "GET /metrics\r\n\r\n"]
        {
            assert_eq!(ask(request), Asked::Malformed, "{request:?}");
        }
        assert!(malformed("why").starts_with(b"HTTP/1.1 400 Bad Request\r\n"));
    }

    #[test]
    fn the_rest_of_a_request_is_waited_for_up_to_its_bounds() {
        for end in 0..GET.len() {
            assert_eq!(ask(&GET.as_bytes()[..end]), Asked::NotYet);
        }
        let long = format!("GET /metrics HTTP/1.1\r\nX: {}", "x".repeat(REQUEST_MAX)).into_bytes();
        assert_eq!(ask(&long[..REQUEST_MAX - 1]), Asked::NotYet);
        assert_eq!(ask(&long[..REQUEST_MAX]), Asked::Malformed);
        let many = format!("GET /metrics HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(HEADERS_MAX + 1));
        assert_eq!(ask(many), Asked::Malformed);
    }

    #[test]
    fn the_seeds_of_the_fuzzer_are_what_their_names_say() {
        for seed in std::fs::read_dir("../../fuzz/seeds/scrape").unwrap() {
            let path = seed.unwrap().path();
            let asked = ask(std::fs::read(&path).unwrap());
            let is_it = match path.file_name().unwrap().to_str().unwrap() {
                "prometheus" => matches!(asked, Asked::Metrics(Wanted { openmetrics: true, .. })),
                "head" => matches!(asked, Asked::Metrics(Wanted { body: false, .. })),
                "elsewhere" | "post" => matches!(asked, Asked::Answered(_)),
                "begun" => asked == Asked::NotYet,
                "http-0.9" => asked == Asked::Malformed,
                other => panic!("say here what {other} is"),
            };
            assert!(is_it, "{}: {asked:?}", path.display());
        }
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_answer_and_what_is_sent_is_http(
            request in prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..REQUEST_MAX),
                "(GET|HEAD|POST) /(metrics|x)? HTTP/1\\.[01]\r\n(Host: [a-z0-9.:]{0,12}\r\n)?(\r\n)?"
                    .prop_map(String::into_bytes),
            ],
        ) {
            if let Asked::Answered(answer) = ask(&request) {
                prop_assert!(answer.starts_with(b"HTTP/1.1 "));
            }
        }
    }
}
