//! As much of HTTP/1.1 (RFC 9112) as a scrape is: one request, one answer, and the end.

/// The most bytes of a request, which Prometheus' are a tenth of.
pub(crate) const REQUEST_MAX: usize = 4096;

/// The most header lines of a request.
const HEADERS_MAX: usize = 64;

/// Where the metrics are.
const PATH: &str = "/metrics";

/// What the text is: OpenMetrics 1.0.
const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The whole answer to what has come so far; `metrics` makes the text where it is asked for. `None`:
/// the request goes on.
pub(crate) fn answer(request: &[u8], metrics: impl FnOnce() -> String) -> Option<Vec<u8>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut head = httparse::Request::new(&mut headers);
    let is_whole = match head.parse(request) {
        Ok(httparse::Status::Partial) if request.len() < REQUEST_MAX => return None,
        Ok(status) => status.is_complete(),
        Err(_) => false,
    };
    let (Some(method), Some(target), true) = (head.method, head.path, is_whole) else {
        return Some(refusal("400 Bad Request", "this is no HTTP/1.1 request", true));
    };
    // Whatever is asked of it, the path is the same.
    let path = target.split_once('?').map_or(target, |(path, _)| path);
    let wants_body = method != "HEAD";
    Some(match (method, path) {
        ("GET" | "HEAD", PATH) => response("200 OK", CONTENT_TYPE, "", &metrics(), wants_body),
        ("GET" | "HEAD", _) => refusal("404 Not Found", "there is only /metrics", wants_body),
        (_, _) => {
            let text = "only GET and HEAD are answered\n";
            response("405 Method Not Allowed", PLAIN, "Allow: GET, HEAD\r\n", text, true)
        }
    })
}

const PLAIN: &str = "text/plain; charset=utf-8";

fn refusal(status: &str, why: &str, wants_body: bool) -> Vec<u8> {
    response(status, PLAIN, "", &format!("{why}\n"), wants_body)
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

    fn ask(request: impl AsRef<[u8]>) -> Option<String> {
        answer(request.as_ref(), || "x 1\n# EOF\n".to_owned())
            .map(|answer| String::from_utf8(answer).unwrap())
    }

    /// The first line of an answer.
    fn status(request: impl AsRef<[u8]>) -> String {
        ask(request).unwrap().lines().next().unwrap().to_owned()
    }

    const GET: &str = "GET /metrics HTTP/1.1\r\nHost: localhost:9101\r\nAccept: */*\r\n\r\n";

    #[test]
    fn a_scrape_gets_openmetrics_and_the_end() {
        assert_eq!(
            ask(GET).unwrap(),
            "HTTP/1.1 200 OK\r\nContent-Type: application/openmetrics-text; version=1.0.0; \
             charset=utf-8\r\nContent-Length: 10\r\nCache-Control: no-store\r\n\
             Connection: close\r\n\r\nx 1\n# EOF\n"
        );
        assert_eq!(status("GET /metrics?x=/y HTTP/1.0\r\n\r\n"), "HTTP/1.1 200 OK");
    }

    #[test]
    fn head_gets_the_head_of_it() {
        let head = ask(GET.replace("GET", "HEAD")).unwrap();
        assert!(head.ends_with("\r\n\r\n") && head.contains("Content-Length: 10\r\n"), "{head}");
    }

    #[test]
    fn nothing_else_is_there_or_can_be_done() {
        for path in ["/", "/metrics/", "/metric", "*", "/metrics%00", "http://h/metrics"] {
            let request = GET.replace("/metrics", path);
            assert_eq!(status(&request), "HTTP/1.1 404 Not Found", "{path}");
        }
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "get"] {
            let answer = ask(GET.replace("GET", method)).unwrap();
            assert!(answer.starts_with("HTTP/1.1 405 ") && answer.contains("\r\nAllow: GET, HEAD"));
        }
        for request in
            ["\0", "GET\r\n\r\n", "GET /metrics HTTP/2.0\r\n\r\n", "GET /metrics\r\n\r\n"]
        {
            assert_eq!(status(request), "HTTP/1.1 400 Bad Request", "{request:?}");
        }
    }

    #[test]
    fn a_request_that_is_not_whole_is_waited_for_as_far_as_it_may_be_long() {
        for end in 0..GET.len() {
            assert_eq!(ask(&GET.as_bytes()[..end]), None);
        }
        let long = format!("GET /metrics HTTP/1.1\r\nX: {}", "x".repeat(REQUEST_MAX)).into_bytes();
        assert_eq!(ask(&long[..REQUEST_MAX - 1]), None);
        assert_eq!(status(&long[..REQUEST_MAX]), "HTTP/1.1 400 Bad Request");
        let many = format!("GET /metrics HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(HEADERS_MAX + 1));
        assert_eq!(status(&many), "HTTP/1.1 400 Bad Request");
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered_or_waited_for(
            request in proptest::collection::vec(any::<u8>(), 0..REQUEST_MAX),
        ) {
            let answered = answer(&request, String::new);
            prop_assert!(answered.is_none_or(|answer| answer.starts_with(b"HTTP/1.1 ")));
        }
    }
}
