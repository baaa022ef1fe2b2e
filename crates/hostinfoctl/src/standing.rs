//! Whether a guest can ask, from when on and by which device, as libvirt has it.

use hostinfo_domains::{Form, Place, Port};
use serde::Serialize;

use crate::facts::Facts;

/// Where a guest's port is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Way {
    /// `serial` or `channel`, or what else it is.
    pub(crate) transport: String,
    /// Under Linux.
    pub(crate) device: String,
    /// Under Windows.
    pub(crate) device_windows: String,
    #[serde(skip)]
    place: Place,
}

impl Way {
    pub(crate) fn of(place: &Place) -> Self {
        let transport = match place {
            Place::Serial(_) => "serial",
            Place::Channel(_) => "channel",
            Place::Other(kind) => kind,
        };
        Self {
            transport: transport.to_owned(),
            device: place.linux(),
            device_windows: place.windows(),
            place: place.clone(),
        }
    }

    /// `/dev/ttyS1 (COM2 under Windows)`
    fn shown(&self) -> String {
        format!("{} ({} under Windows)", self.device, self.device_windows)
    }
}

/// The ways to a guest that are right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Standing {
    /// While it runs.
    pub(crate) now: Option<Way>,
    /// From its next start on.
    pub(crate) next: Option<Way>,
    /// What is wrong, with the remedy.
    pub(crate) problem: Option<String>,
    /// All of that in words.
    #[serde(skip)]
    pub(crate) words: String,
}

impl Standing {
    pub(crate) fn of(facts: &Facts) -> Self {
        let (now, next) = (way(facts, Form::Live), way(facts, Form::Config));
        let conflict = |form| facts.of(form).and_then(|seen| seen.ports.conflict());
        let problem = conflict(Form::Live).or_else(|| conflict(Form::Config));
        let words = words(facts, now.as_ref(), next.as_ref());
        Self { now, next, problem: problem.map(|problem| problem.to_string()), words }
    }
}

/// The one port of a form, where it is as it has to be.
fn way(facts: &Facts, form: Form) -> Option<Way> {
    let ports = &facts.of(form)?.ports;
    match ports.hostinfo.as_slice() {
        [port] if ports.is_right(port) => Some(Way::of(&port.place)),
        _ => None,
    }
}

fn words(facts: &Facts, now: Option<&Way>, next: Option<&Way>) -> String {
    let runs = facts.live.is_some();
    match (now, next) {
        (Some(now), Some(next)) if now == next => format!("{}, now", now.shown()),
        (Some(now), Some(next)) => {
            format!("{} now, and {} from its next start", now.shown(), next.shown())
        }
        (Some(now), None) if now.place.is_pluggable() => {
            format!("{}, until it ends", now.shown())
        }
        (Some(now), None) => format!(
            "{} stays until it ends, since a serial port cannot be unplugged; hostinfo.conf can \
             close it before (enabled = 0)",
            now.shown()
        ),
        (None, Some(next)) if !runs && facts.entry.is_saved => format!(
            "{}, from its next start without its saved state, which has the devices of before \
             (virsh start --force-boot)",
            next.shown()
        ),
        (None, Some(next)) if !runs => {
            format!("{}, from its next start: it does not run", next.shown())
        }
        (None, Some(next)) => {
            format!("{}, from its next start: {}", next.shown(), why_not_now(facts, next))
        }
        (None, None) => String::new(),
    }
}

fn why_not_now(facts: &Facts, next: &Way) -> &'static str {
    let ports: &[Port] = facts.live.as_ref().map_or(&[], |seen| &seen.ports.hostinfo);
    if !ports.is_empty() {
        "it runs with what it had before (to reboot it from within is no start)"
    } else if next.place.is_pluggable() {
        "it runs, and was not to have it --now"
    } else {
        "it runs, and a serial port cannot be plugged in (to reboot it from within is no start; \
         --now plugs in a channel)"
    }
}
