//! `preview`: the reply that a guest would get now.

use hostinfo_wire::text::escaped;
use serde_json::json;

use crate::args::Options;
use crate::daemon::{connect, whole_name};
use crate::exit::{DONE, Failure, Status, complain};
use crate::explain::nearest_statistic;
use crate::output::write_result;

/// Shows the exact reply to a `get` of those names, or of all.
///
/// # Errors
/// [`Failure::Daemon`].
pub(crate) fn run(options: &Options, guest: &str, names: &[String]) -> Result<Status, Failure> {
    let names = if names.is_empty() { "*".to_owned() } else { names.join(" ") };
    let line = format!("get {names}");
    if line.contains(char::is_control) {
        return Err(Failure::Usage("a name cannot contain control characters".to_owned()));
    }
    let mut daemon = connect(options)?;
    let guest = whole_name(options, &mut daemon, guest)?;
    let reply = daemon.preview(&guest, &line)?;
    for name in reply.lines().filter_map(unknown) {
        if let Some(nearest) = nearest_statistic(&mut daemon, &guest, name) {
            let (name, nearest) = (escaped(name), escaped(&nearest));
            complain(format!("note: there is no statistic {name}: do you mean {nearest}?"));
        }
    }
    let json = json!({ "guest": guest, "line": line, "reply": reply });
    write_result(options, &json, || reply)?;
    Ok(DONE)
}

/// The name in `404 NAME: no such statistic`.
fn unknown(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("404 ").or_else(|| line.strip_prefix("404-"))?;
    rest.split_once(": ").map(|(name, _)| name)
}
