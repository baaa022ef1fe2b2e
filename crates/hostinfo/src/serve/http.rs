//! As much of HTTP/1.1 (RFC 9112) as a scrape is: one request, one answer, and the end.

/// The most bytes of a request, which Prometheus' are a tenth of.
pub(crate) const REQUEST_MAX: usize = 4096;

/// The most header lines of a request.
const HEADERS_MAX: usize = 64;

/// Where the metrics are.
const PATH: &str = "/metrics";

/// OpenMetrics 1.0, and the text format that every scraper reads.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const CLASSIC: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What a request comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    /// It goes on.
    NotYet,
    /// The metrics.
    Metrics(Wanted),
    /// The whole answer.
    Answered(Vec<u8>),
}

/// How the metrics are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) openmetrics: bool,
    body: bool,
}

/// What has come so far.
pub(crate) fn parse(request: &[u8]) -> Asked {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut head = httparse::Request::new(&mut headers);
    let is_whole = match head.parse(request) {
        Ok(httparse::Status::Partial) if request.len() < REQUEST_MAX => return Asked::NotYet,
        Ok(status) => status.is_complete(),
        Err(_) => false,
    };
    let (Some(method), Some(target), true) = (head.method, head.path, is_whole) else {
        return refusal("400 Bad Request", "this is not an HTTP/1.1 request", true);
    };
    let body = method != "HEAD";
    let header = |name: &str| {
        let named = head.headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
        named.map(|header| String::from_utf8_lossy(header.value).to_ascii_lowercase()).next()
    };
    // A page in somebody's browser can have a name of its own lead here: DNS rebinding.
    if header("host").is_some_and(|host| !is_local(&host)) {
        return refusal("403 Forbidden", "only http://localhost is answered", body);
    }
    // Whatever is asked of it, the path is the same.
    match (method, target.split_once('?').map_or(target, |(path, _)| path)) {
        ("GET" | "HEAD", PATH) => {
            let accept = header("accept").unwrap_or_default();
            let openmetrics = accept.contains("application/openmetrics-text");
            Asked::Metrics(Wanted { openmetrics, body })
        }
        ("GET" | "HEAD", _) => refusal("404 Not Found", "there is only /metrics", body),
        (_, _) => {
            let text = "only GET and HEAD are answered\n";
            Asked::Answered(response(
                "405 Method Not Allowed",
                "text/plain; charset=utf-8",
                "Allow: GET, HEAD\r\n",
                text,
                true,
            ))
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

/// The answer with the metrics.
pub(crate) fn metrics(wanted: Wanted, text: &str) -> Vec<u8> {
    let kind = if wanted.openmetrics { OPENMETRICS } else { CLASSIC };
    response("200 OK", kind, "", text, wanted.body)
}

/// The answer without them: the host said nothing, or this guest may not ask.
pub(crate) fn unavailable(wanted: Wanted, why: &str) -> Vec<u8> {
    let body = format!("{why}\n");
    response("503 Service Unavailable", "text/plain; charset=utf-8", "", &body, wanted.body)
}

fn refusal(status: &str, why: &str, wants_body: bool) -> Asked {
    let body = format!("{why}\n");
    Asked::Answered(response(status, "text/plain; charset=utf-8", "", &body, wants_body))
}

/// `more` is header lines, each with its end.
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
        match parse(request.as_ref()) {
            Asked::Answered(answer) => {
                String::from_utf8(answer).unwrap().lines().next().unwrap().to_owned()
            }
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn a_scraper_gets_the_format_that_it_reads() {
        let classic = Wanted { openmetrics: false, body: true };
        assert_eq!(parse(GET.as_bytes()), Asked::Metrics(classic));
        let prometheus =
            GET.replace("*/*", "application/openmetrics-text;version=1.0.0,text/plain;q=0.5");
        let wanted = Wanted { openmetrics: true, body: true };
        assert_eq!(parse(prometheus.as_bytes()), Asked::Metrics(wanted));
        assert_eq!(
            String::from_utf8(metrics(wanted, "x 1\n# EOF\n")).unwrap(),
            "HTTP/1.1 200 OK\r\nContent-Type: application/openmetrics-text; version=1.0.0; \
             charset=utf-8\r\nContent-Length: 10\r\nCache-Control: no-store\r\n\
             Connection: close\r\n\r\nx 1\n# EOF\n"
        );
    }

    #[test]
    fn head_gets_the_head_of_it() {
        let Asked::Metrics(wanted) = parse(GET.replace("GET", "HEAD").as_bytes()) else { panic!() };
        let head = String::from_utf8(metrics(wanted, "x 1\n")).unwrap();
        assert!(head.ends_with("\r\n\r\n") && head.contains("Content-Length: 4\r\n"), "{head}");
    }

    #[test]
    fn who_came_by_a_foreign_name_is_refused() {
        for host in ["localhost", "LOCALHOST:4679", "127.0.0.1", "127.9.9.9:1", "[::1]:4679"] {
            let asked = parse(GET.replace("127.0.0.1:4679", host).as_bytes());
            assert!(matches!(asked, Asked::Metrics(_)), "{host}");
        }
        for host in ["evil.example", "localhost.evil.example:4679", "10.0.0.1", "[::2]", "", "::1"]
        {
            let request = GET.replace("127.0.0.1:4679", host);
            assert_eq!(status(&request), "HTTP/1.1 403 Forbidden", "{host}");
        }
        assert!(matches!(parse(b"GET /metrics HTTP/1.0\r\n\r\n"), Asked::Metrics(_)));
    }

    #[test]
    fn nothing_else_is_there_or_can_be_done() {
        for path in ["/", "/metrics/", "*", "/metrics%00"] {
            let request = GET.replace("/metrics", path);
            assert_eq!(status(&request), "HTTP/1.1 404 Not Found", "{path}");
        }
        assert!(status(GET.replace("GET", "POST")).starts_with("HTTP/1.1 405 "));
        for request in ["\0", "GET\r\n\r\n", "GET /metrics HTTP/2.0\r\n\r\n"] {
            assert_eq!(status(request), "HTTP/1.1 400 Bad Request", "{request:?}");
        }
    }

    #[test]
    fn a_request_that_is_not_whole_is_waited_for_as_far_as_it_may_be_long() {
        for end in 0..GET.len() {
            assert_eq!(parse(&GET.as_bytes()[..end]), Asked::NotYet);
        }
        let long = format!("GET /metrics HTTP/1.1\r\nX: {}", "x".repeat(REQUEST_MAX)).into_bytes();
        assert_eq!(parse(&long[..REQUEST_MAX - 1]), Asked::NotYet);
        assert_eq!(status(&long[..REQUEST_MAX]), "HTTP/1.1 400 Bad Request");
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered_or_waited_for(
            request in proptest::collection::vec(any::<u8>(), 0..600),
        ) {
            if let Asked::Answered(answer) = parse(&request) {
                prop_assert!(answer.starts_with(b"HTTP/1.1 "));
            }
        }
    }
}
