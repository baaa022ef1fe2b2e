//! Whether a guest can ask, from when on and through which device, as far as libvirt shows it.

use hostinfo_domains::{Form, Port, Ports, Target};
use serde::Serialize;

use crate::facts::Facts;

/// Where a guest's port is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct PortLocation {
    /// `serial` or `channel`, or libvirt's name for another kind.
    pub(crate) transport: String,
    /// The device in a Linux guest.
    pub(crate) device: String,
    /// The device in a Windows guest.
    pub(crate) device_windows: String,
    #[serde(skip)]
    target: Target,
}

impl PortLocation {
    pub(crate) fn of(target: &Target) -> Self {
        let transport = match target {
            Target::Serial(_) => "serial",
            Target::Channel(_) => "channel",
            Target::Other(kind) => kind,
        };
        Self {
            transport: transport.to_owned(),
            device: target.linux(),
            device_windows: target.windows(),
            target: target.clone(),
        }
    }

    /// Whether it can be plugged into a guest that runs.
    pub(crate) fn is_pluggable(&self) -> bool {
        self.target.is_pluggable()
    }

    /// `ttyS1`, `channel`: for a narrow table.
    pub(crate) fn short(&self) -> String {
        match &self.target {
            Target::Serial(number) => format!("ttyS{number}"),
            Target::Channel(_) | Target::Other(_) => self.transport.clone(),
        }
    }

    /// `/dev/ttyS1 (COM2 under Windows)`
    fn devices(&self) -> String {
        format!("{} ({} under Windows)", self.device, self.device_windows)
    }
}

/// A guest's correct ports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct PortSummary {
    /// The port while it runs.
    pub(crate) running: Option<PortLocation>,
    /// The port in its saved configuration: from its next start on.
    pub(crate) saved: Option<PortLocation>,
    /// The channel for vhostmd's clients: the one it has now, or else that of its next start.
    pub(crate) vhostmd: Option<PortLocation>,
    /// What is wrong, with the remedy.
    pub(crate) problem: Option<String>,
    /// All of this in words.
    #[serde(skip)]
    pub(crate) words: String,
}

impl PortSummary {
    pub(crate) fn of(facts: &Facts) -> Self {
        let [hostinfo, vhostmd]: [PortsOf; 2] = [|ports| &ports.hostinfo, |ports| &ports.vhostmd];
        let (running, saved) =
            (location(facts, Form::Live, hostinfo), location(facts, Form::Config, hostinfo));
        let vhostmd =
            location(facts, Form::Live, vhostmd).or_else(|| location(facts, Form::Config, vhostmd));
        let conflict = |form| facts.of(form).and_then(|seen| seen.ports.conflict());
        let problem = conflict(Form::Live).or_else(|| conflict(Form::Config));
        let mut words = words(facts, running.as_ref(), saved.as_ref());
        if let Some(vhostmd) = &vhostmd {
            words.push_str(&format!("; for vhostmd's clients {}", vhostmd.devices()));
        }
        let problem = problem.map(|problem| problem.to_string());
        Self { running, saved, vhostmd, problem, words }
    }
}

/// Selects hostinfo's ports, or those for vhostmd's clients.
type PortsOf = fn(&Ports) -> &[Port];

/// The only port of a form, if it is correct.
fn location(facts: &Facts, form: Form, which: PortsOf) -> Option<PortLocation> {
    let ports = &facts.of(form)?.ports;
    match which(ports) {
        [port] if ports.is_right(port) => Some(PortLocation::of(&port.target)),
        _ => None,
    }
}

fn words(facts: &Facts, now: Option<&PortLocation>, next: Option<&PortLocation>) -> String {
    let runs = facts.live.is_some();
    match (now, next) {
        (Some(now), Some(next)) if now == next => format!("{}, now", now.devices()),
        (Some(now), Some(next)) => {
            format!("{} now, and {} from its next start", now.devices(), next.devices())
        }
        (Some(now), None) if now.target.is_pluggable() && facts.config.is_none() => {
            format!("{}, until it ends", now.devices())
        }
        (Some(now), None) if now.target.is_pluggable() => {
            format!("{} stays until it ends; disable --now unplugs it", now.devices())
        }
        (Some(now), None) => format!(
            "{} stays until it ends, since a serial port cannot be unplugged; hostinfo.conf can \
             close it before (enabled = 0)",
            now.devices()
        ),
        (None, Some(next)) if !runs && facts.entry.is_saved => format!(
            "{}, from its next start without its saved state, which has the old devices \
             (virsh start --force-boot)",
            next.devices()
        ),
        (None, Some(next)) if !runs => {
            format!("{}, from its next start: it is shut off now", next.devices())
        }
        (None, Some(next)) => {
            format!("{}, from its next start: {}", next.devices(), why_not_now(facts, next))
        }
        (None, None) => String::new(),
    }
}

fn why_not_now(facts: &Facts, next: &PortLocation) -> &'static str {
    let ports: &[Port] = facts.live.as_ref().map_or(&[], |seen| &seen.ports.hostinfo);
    if !ports.is_empty() {
        "it runs with what it had before (rebooting inside the guest is not enough)"
    } else if next.target.is_pluggable() {
        "it runs, and --now was not given"
    } else {
        "it runs, and a serial port cannot be plugged in (rebooting inside the guest is not \
         enough; --now plugs in a channel)"
    }
}
