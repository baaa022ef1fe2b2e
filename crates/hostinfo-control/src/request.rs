//! The daemon's side of the protocol: bytes to calls, replies to bytes. Pure and total.

use serde_json::{Value, json};
use serde_path_to_error::Segment;
use varlink::sansio::{ParseResult, parse_message, protocol::parse_request, serialize_reply};
use varlink::{GetInterfaceDescriptionArgs, Interface as _, Reply, ServiceInfo, VarlinkService};

use crate::limits::REQUEST_MAX;
use crate::{Call, DESCRIPTION, INTERFACE, Refusal};

/// The interface that every Varlink service has.
const SERVICE: &str = "org.varlink.service";

/// What a client asks.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The call, or why it is not a valid one.
    pub what: Result<Asked, Refusal>,
    /// Whether the client accepts several replies.
    pub more: bool,
    /// Whether the client wants no reply.
    pub oneway: bool,
}

/// A valid call.
#[derive(Debug, Clone, PartialEq)]
pub enum Asked {
    /// A call of our interface.
    Call(Call),
    /// A question about this service or one of its interfaces, with the reply to it.
    About(Value),
}

/// The first message in what a client has sent.
#[derive(Debug, Clone, PartialEq)]
pub enum Front {
    /// Part of a message, or nothing.
    Incomplete,
    /// Cannot be answered: not JSON, or longer than [`REQUEST_MAX`]. The client is dropped.
    Broken,
    /// A message, and its length in bytes including its end.
    Message(Request, usize),
}

/// Parses the first message in what a client has sent.
pub fn front(bytes: &[u8]) -> Front {
    let bytes = bytes.get(..=REQUEST_MAX).unwrap_or(bytes);
    match parse_message(bytes) {
        ParseResult::Incomplete { .. } if bytes.len() <= REQUEST_MAX => Front::Incomplete,
        ParseResult::Incomplete { .. } | ParseResult::Invalid { .. } => Front::Broken,
        ParseResult::Complete { message, consumed } => match parse_request(&message) {
            Err(_) => Front::Broken,
            Ok(request) => Front::Message(parse_call(request), consumed),
        },
    }
}

fn parse_call(request: varlink::Request<'_>) -> Request {
    let [more, oneway, upgrade] =
        [request.more, request.oneway, request.upgrade].map(Option::unwrap_or_default);
    let parameters = request.parameters.unwrap_or_else(|| json!({}));
    let what = match (upgrade, request.method.rsplit_once('.')) {
        (true, _) => Err(Refusal::MethodNotImplemented { method: request.method.into_owned() }),
        (false, Some((SERVICE, method))) => about_service(method, parameters).map(Asked::About),
        (false, Some((INTERFACE, _))) if !Call::is_method(&request.method) => {
            no_such_method(&request.method)
        }
        (false, Some((INTERFACE, _))) => call(&request.method, &parameters).map(Asked::Call),
        (false, Some((interface, _))) => {
            Err(Refusal::InterfaceNotFound { interface: interface.to_owned() })
        }
        (false, None) => no_such_method(&request.method),
    };
    Request { what, more, oneway }
}

fn call(method: &str, parameters: &Value) -> Result<Call, Refusal> {
    serde_path_to_error::deserialize(json!({ "method": method, "parameters": parameters }))
        .map_err(|error| invalid(&error))
}

/// Names the parameter that serde rejected. That is the name in the error's path, or a missing one,
/// which only the error's text names.
fn invalid(error: &serde_path_to_error::Error<serde_json::Error>) -> Refusal {
    let words = error.inner().to_string();
    let missing = words.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
    let found = error.path().iter().find_map(|step| match step {
        Segment::Map { key } if key != "parameters" => Some(key.as_str()),
        _ => None,
    });
    Refusal::InvalidParameter { parameter: missing.or(found).unwrap_or("parameters").to_owned() }
}

fn about_service(method: &str, parameters: Value) -> Result<Value, Refusal> {
    match method {
        "GetInfo" => serde_json::to_value(ServiceInfo {
            vendor: "hostinfo".into(),
            product: "hostinfod".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            url: "".into(),
            interfaces: vec![SERVICE.into(), INTERFACE.into()],
        })
        .map_err(|error| Refusal::Failed { message: error.to_string() }),
        "GetInterfaceDescription" => {
            let wanted: GetInterfaceDescriptionArgs<'_> =
                serde_path_to_error::deserialize(parameters).map_err(|error| invalid(&error))?;
            match &*wanted.interface {
                INTERFACE => Ok(json!({ "description": DESCRIPTION })),
                SERVICE => {
                    let service = VarlinkService::new("", "", "", "", Vec::new());
                    Ok(json!({ "description": service.get_description() }))
                }
                other => Err(Refusal::InterfaceNotFound { interface: other.to_owned() }),
            }
        }
        _ => no_such_method(&format!("{SERVICE}.{method}")),
    }
}

fn no_such_method<T>(method: &str) -> Result<T, Refusal> {
    Err(Refusal::MethodNotFound { method: method.to_owned() })
}

/// The bytes of a reply; `continues` if more replies to the same call follow.
pub fn answer(answer: Result<Value, Refusal>, continues: bool) -> Vec<u8> {
    let continues = continues.then_some(true);
    let reply = match answer {
        Ok(parameters) => Ok(Reply { continues, error: None, parameters: Some(parameters) }),
        Err(refusal) => serde_json::to_value(refusal).and_then(serde_json::from_value),
    };
    // A refusal has the form of a reply, and both can always be written as JSON.
    serialize_reply(&reply.unwrap_or_default()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(message: &str) -> Request {
        let bytes = [message.as_bytes(), b"\0{\"meth"].concat();
        let Front::Message(request, consumed) = front(&bytes) else { panic!("{message}") };
        assert_eq!(consumed, message.len() + 1);
        request
    }

    fn refusal(message: &str) -> Refusal {
        ask(message).what.unwrap_err()
    }

    #[test]
    fn a_message_ends_with_nul_and_the_next_one_stays() {
        let request = ask(r#"{"method":"org.hostinfo.Control.List","parameters":{"after":"a"}}"#);
        let call = Call::List { after: Some("a".to_owned()) };
        assert_eq!(request, Request { what: Ok(Asked::Call(call)), more: false, oneway: false });
        let request = ask(r#"{"method":"org.hostinfo.Control.Watch","more":true}"#);
        assert!(request.more);
        assert_eq!(request.what, Ok(Asked::Call(Call::Watch { guest: None })));
        assert!(ask(r#"{"method":"org.hostinfo.Control.Status","oneway":true}"#).oneway);
    }

    #[test]
    fn half_a_message_is_waited_for_up_to_its_bound() {
        for half in ["", "{", "{\"method\":\"org.hostinfo.Control.Status\"}"] {
            assert_eq!(front(half.as_bytes()), Front::Incomplete);
        }
        assert_eq!(front(&vec![b' '; REQUEST_MAX]), Front::Incomplete);
        assert_eq!(front(&vec![b' '; REQUEST_MAX + 1]), Front::Broken);
    }

    #[test]
    fn bytes_that_are_no_call_are_not_answered() {
        for broken in ["\0", "hello\0", "{}\0", "{\"method\":1}\0", "{\0", "\u{e9}\0"] {
            assert_eq!(front(broken.as_bytes()), Front::Broken, "{broken:?}");
        }
        assert_eq!(front(b"{\xFF}\0"), Front::Broken);
        let deep = ["[".repeat(5000), "\0".to_owned()].concat();
        assert_eq!(front(deep.as_bytes()), Front::Broken);
    }

    #[test]
    fn an_unknown_method_or_interface_is_refused_by_its_name() {
        let no_method = |method: &str| Refusal::MethodNotFound { method: method.to_owned() };
        assert_eq!(refusal(r#"{"method":"Status"}"#), no_method("Status"));
        for method in ["org.hostinfo.Control.Stat", "org.varlink.service.X"] {
            assert_eq!(refusal(&format!(r#"{{"method":"{method}"}}"#)), no_method(method));
        }
        let interface = "org.example".to_owned();
        let none = Refusal::InterfaceNotFound { interface };
        assert_eq!(refusal(r#"{"method":"org.example.Ping"}"#), none);
        let method = "org.hostinfo.Control.Status".to_owned();
        let upgrade = refusal(r#"{"method":"org.hostinfo.Control.Status","upgrade":true}"#);
        assert_eq!(upgrade, Refusal::MethodNotImplemented { method });
    }

    #[test]
    fn a_parameter_that_is_wrong_missing_or_too_many_is_named() {
        for (method, parameters, wrong) in [
            ("Status", r#"{"a":1}"#, "a"),
            ("Explain", "{}", "guest"),
            ("Explain", r#"{"guest":1}"#, "guest"),
            ("Explain", r#"{"guest":null}"#, "guest"),
            ("Explain", r#"{"guest":"a","names":["b",2]}"#, "names"),
            ("Preview", r#"{"guest":"a"}"#, "line"),
            ("NoticeSet", r#"{"pattern":"*","kind":"joke","text":"x"}"#, "kind"),
            ("NoticeSet", r#"{"pattern":"*","kind":"info","text":"x","at":"soon"}"#, "at"),
            ("NoticeClear", r#"{"ids":[-1]}"#, "ids"),
            ("Status", "[]", "parameters"),
        ] {
            let call = format!(
                r#"{{"method":"org.hostinfo.Control.{method}","parameters":{parameters}}}"#
            );
            let parameter = wrong.to_owned();
            assert_eq!(refusal(&call), Refusal::InvalidParameter { parameter }, "{call}");
        }
        let nameless = r#"{"method":"org.varlink.service.GetInterfaceDescription"}"#;
        let parameter = "interface".to_owned();
        assert_eq!(refusal(nameless), Refusal::InvalidParameter { parameter });
    }

    #[test]
    fn the_service_tells_what_it_is() {
        let about = |message: &str| match ask(message).what {
            Ok(Asked::About(value)) => value,
            other => panic!("{other:?}"),
        };
        let info = about(r#"{"method":"org.varlink.service.GetInfo"}"#);
        assert_eq!(info["interfaces"], json!([SERVICE, INTERFACE]));
        for (interface, words) in
            [(INTERFACE, "method Preview("), (SERVICE, "method GetInterfaceDescription(")]
        {
            let message = format!(
                r#"{{"method":"org.varlink.service.GetInterfaceDescription","parameters":{{"interface":"{interface}"}}}}"#
            );
            assert!(about(&message)["description"].as_str().unwrap().contains(words));
        }
        let other = r#"{"method":"org.varlink.service.GetInterfaceDescription","parameters":{"interface":"x"}}"#;
        assert!(matches!(refusal(other), Refusal::InterfaceNotFound { .. }));
    }

    #[test]
    fn an_answer_is_a_line_of_json_with_a_nul_behind_it() {
        assert_eq!(answer(Ok(json!({})), false), b"{\"parameters\":{}}\0");
        assert_eq!(answer(Ok(json!({})), true), b"{\"continues\":true,\"parameters\":{}}\0");
        let refusal = Refusal::Busy { message: "later".to_owned() };
        assert_eq!(
            String::from_utf8(answer(Err(refusal), true)).unwrap(),
            "{\"error\":\"org.hostinfo.Control.Busy\",\"parameters\":{\"message\":\"later\"}}\0"
        );
    }

    #[test]
    fn the_seeds_of_the_fuzzer_are_messages_of_today() {
        for seed in std::fs::read_dir("../../fuzz/seeds/control").unwrap() {
            let path = seed.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            let Front::Message(request, consumed) = front(&bytes) else { panic!("{path:?}") };
            assert_eq!(consumed, bytes.len(), "{}", path.display());
            assert!(request.what.is_ok(), "{}: {:?}", path.display(), request.what);
        }
    }
}
