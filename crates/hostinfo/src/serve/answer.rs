//! Answers a request from the host's last values.

use std::fmt;
use std::time::Duration;

use hostinfo_catalog::resolve;
use hostinfo_render::{Answer, openmetrics};
use hostinfo_wire::reply::BLOCKED;
use hostinfo_wire::request::{Names, VHOSTMD_PATH};
use hostinfo_wire::{Code, Refusal, Reply, Request, VERSION};
use serde_json::Value as Json;

use crate::exposition::{self, number};
use crate::listed::Listed;
use crate::not_yet::NotYet;
use crate::serve::snapshot::{Picked, Snapshot};

/// Fills `reply` if that needs nothing from the host; returns whether it did.
pub(crate) fn at_once(request: Request<'_>, reply: &mut Reply) -> bool {
    match request {
        Request::Ping(None) => reply.line(Code::Done, "pong"),
        Request::Ping(Some(token)) => reply.line(Code::Done, format_args!("pong {token}")),
        Request::Version => reply.line(Code::Done, VERSION),
        Request::Help => hostinfo_render::help(reply),
        Request::Vhostmd => {
            let why = "a broker does not serve it: ask the host itself";
            reply.refuse(VHOSTMD_PATH, &Refusal::Unavailable(why.into()));
        }
        Request::Get(_) | Request::Json(_) | Request::Metrics(_) | Request::List(_) => {
            return false;
        }
    }
    true
}

/// Fills `reply` from the host's values, adjusted to `now`.
pub(crate) fn from_snapshot(
    request: Request<'_>,
    snapshot: &Snapshot,
    now: Duration,
    reply: &mut Reply,
) {
    match request {
        Request::List(names) => list(names, snapshot, reply),
        _ if snapshot.is_blocked() => reply.line(Code::NotPermitted, BLOCKED),
        Request::Get(names) => {
            for picked in snapshot.pick(names.iter()) {
                match picked {
                    Picked::Value(place) => {
                        if let Some((told, value)) = snapshot.value(place, now) {
                            reply.line(Code::Done, format_args!("{}={value}", told.name));
                        }
                    }
                    Picked::Refused(name, refusal) => reply.refuse(&name, &refusal),
                }
            }
        }
        Request::Json(names) => json(names, snapshot, now, reply),
        Request::Metrics(names) => metrics(names, snapshot, now, reply),
        Request::Ping(_) | Request::Version | Request::Help | Request::Vhostmd => {}
    }
}

/// Fills `reply` if there are no values from the host: each name is refused, for that reason.
pub(crate) fn nothing_yet(request: Request<'_>, why: &NotYet, reply: &mut Reply) {
    let refusal = Refusal::Unavailable(why.to_string().into());
    let names = match request {
        Request::Get(names) | Request::Json(names) | Request::Metrics(names) => names,
        _ => return reply.refuse("list", &refusal),
    };
    // A single line, as for `json` with nothing but refusals.
    let is_one_line = matches!(request, Request::Json(_));
    for name in names.iter().take(if is_one_line { 1 } else { usize::MAX }) {
        reply.refuse(name, &refusal);
    }
}

/// What this guest may ask for, as listed by the host.
fn list(names: Names<'_>, snapshot: &Snapshot, reply: &mut Reply) {
    let rows = snapshot.rows();
    if rows.is_empty() {
        return reply.refuse("list", &Refusal::NotPermitted);
    }
    let mut listed = vec![false; rows.len()];
    for name in names.iter() {
        let wanted = name.to_ascii_lowercase();
        let group = wanted.strip_suffix(".*").unwrap_or(&wanted);
        let mut is_any = false;
        for (row, listed) in rows.iter().zip(&mut listed) {
            let below = row.name.strip_prefix(group).is_some_and(|rest| rest.starts_with('.'));
            if wanted == "*" || below || row.describes(&wanted) {
                is_any = true;
                if !std::mem::replace(listed, true) {
                    let Listed { name, kind, unit, description } = row;
                    reply.line(Code::Done, format_args!("{name} {kind} {unit} {description}"));
                }
            }
        }
        if !is_any {
            let refusal = match resolve(name) {
                Some(_) => Refusal::NotPermitted,
                None => Refusal::NoSuchStatistic,
            };
            reply.refuse(name, &refusal);
        }
    }
}

fn json(names: Names<'_>, snapshot: &Snapshot, now: Duration, reply: &mut Reply) {
    let picked = snapshot.pick(names.iter());
    let mut refusals = picked.iter().filter_map(|picked| match picked {
        Picked::Refused(name, refusal) => Some((name, refusal)),
        Picked::Value(_) => None,
    });
    if picked.iter().any(|picked| matches!(picked, Picked::Value(_))) {
        reply.line(Code::Done, Object { picked: &picked, snapshot, now });
    } else if let Some((name, refusal)) = refusals.next() {
        reply.refuse(name, refusal);
    }
    refusals.for_each(|(_, refusal)| reply.count(refusal.code()));
}

/// The object of `json`.
struct Object<'a> {
    picked: &'a [Picked<'a>],
    snapshot: &'a Snapshot,
    now: Duration,
}

impl fmt::Display for Object<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut before, mut errors) = ("{", String::new());
        for picked in self.picked {
            match picked {
                Picked::Value(place) => {
                    let Some((told, value)) = self.snapshot.value(*place, self.now) else {
                        continue;
                    };
                    write!(out, "{before}{}:", Json::from(told.name.as_str()))?;
                    match told.is_text || number(&value).is_none() {
                        true => write!(out, "{}", Json::from(&*value))?,
                        false => out.write_str(&value)?,
                    }
                    before = ",";
                }
                Picked::Refused(name, refusal) => {
                    let comma = if errors.is_empty() { "" } else { "," };
                    errors += &format!("{comma}{}:{}", Json::from(&**name), refusal.code());
                }
            }
        }
        if errors.is_empty() {
            out.write_str("}")
        } else {
            write!(out, ",\"errors\":{{{errors}}}}}")
        }
    }
}

/// OpenMetrics text.
fn metrics(names: Names<'_>, snapshot: &Snapshot, now: Duration, reply: &mut Reply) {
    let (mut places, mut refused) = (Vec::new(), Vec::new());
    for picked in snapshot.pick(names.iter()) {
        match picked {
            Picked::Refused(name, refusal) => {
                refused.push(Answer::Refused { name: name.into_owned().into(), refusal });
            }
            Picked::Value(place) => places.push(place),
        }
    }
    let values = places.into_iter().filter_map(|place| snapshot.value(place, now));
    let values = values.map(|(told, value)| (&told.name, value));
    refused.extend(exposition::answers(values, &snapshot.rows()));
    openmetrics(&refused, reply);
}

#[cfg(test)]
mod tests;
