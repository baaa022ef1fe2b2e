//! Where a guest's new port goes, or why nowhere, with a remedy that can work.

use hostinfo_domains::{Form, Port, Ports, Target};

use super::{Kind, Plan, refused};
use crate::args::Transport;
use crate::exit::Failure;

impl Plan<'_> {
    /// Where to put the new port. `gone`: ports that are removed before.
    pub(super) fn target(
        &self,
        form: Form,
        kind: Kind,
        ports: &Ports,
        gone: &[&Port],
    ) -> Result<Target, Failure> {
        let is_free = |target: &Target| {
            ports.is_free(target) || gone.iter().any(|port| port.target == *target)
        };
        let channel = match kind {
            Kind::Hostinfo => Target::channel(),
            Kind::Vhostmd => Target::vhostmd(),
        };
        let transient = self.facts.config.is_none();
        let channel = if form == Form::Live && !ports.has_virtio_serial() {
            Err(match transient {
                true => refused(
                    "it is transient, and runs without a virtio-serial controller, which a channel needs: \
                     add one, or its port, to the XML from which it is started (hostinfoctl snippet)",
                ),
                false => refused(
                    "it runs without a virtio-serial controller, which a channel needs: leave out \
                     --now, and its next start gives it both",
                ),
            })
        } else if !ports.has_virtio_bus {
            Err(refused(
                "its machine type has no bus for a virtio channel: choose another machine type (virsh edit)",
            ))
        } else if is_free(&channel) {
            Ok(channel)
        } else {
            let other = match (kind, ports.free_uart()) {
                (Kind::Vhostmd, _) => ", or leave out --vhostmd".to_owned(),
                (Kind::Hostinfo, _) if form == Form::Live => String::new(),
                (Kind::Hostinfo, Some(Target::Serial(1))) => {
                    ", or choose --transport serial".to_owned()
                }
                (Kind::Hostinfo, Some(Target::Serial(number))) => {
                    format!(", or choose --port {number}, and hostinfo --device in the guest")
                }
                (Kind::Hostinfo, _) => String::new(),
            };
            Err(Failure::Refused(format!(
                "its {channel} leads elsewhere: remove that (virsh edit){other}"
            )))
        };
        if kind == Kind::Vhostmd {
            return channel;
        }
        if form == Form::Live {
            return match self.wanted.transport {
                Some(Transport::Serial) if transient => Err(refused(
                    "it is transient, and a serial port cannot be plugged in: choose --transport channel",
                )),
                Some(Transport::Serial) => Err(refused(
                    "it runs, and a serial port cannot be plugged in: leave out --now, or choose \
                     --transport channel",
                )),
                _ => channel,
            };
        }
        let same = gone.first().map(|port| &port.target);
        let was_nameless = matches!(same, Some(Target::Other(_)));
        let same = same.filter(|target| is_free(target) && !was_nameless);
        let uart = || same.filter(|target| matches!(target, Target::Serial(_))).cloned();
        // What it has now, and lost in its saved configuration: scripts in the guest know that.
        let runs_with = self.runs_with().filter(|target| is_free(target) && !was_nameless);
        let second = Target::Serial(1);
        let uart = || uart().or_else(|| Some(second).filter(is_free));
        match (self.wanted.transport, self.wanted.port) {
            (_, Some(number)) => {
                let target = Target::Serial(number);
                if is_free(&target) {
                    return Ok(target);
                }
                let other = match (ports.free_uart(), &channel) {
                    (Some(free), _) => format!("{free} is free"),
                    (None, Ok(_)) => "choose --transport channel".to_owned(),
                    (None, Err(failure)) => format!("and no other, and {failure}"),
                };
                Err(Failure::Refused(format!("it has no free {target}: {other}")))
            }
            (Some(Transport::Channel), None) => channel,
            (Some(Transport::Serial), None) => uart().ok_or_else(|| {
                let by_number = ports.free_uart().map(|free| {
                    let number = if let Target::Serial(number) = free { number } else { 0 };
                    format!("--port {number}, and hostinfo --device in the guest")
                });
                let by_channel = channel.is_ok().then(|| "--transport channel".to_owned());
                let others: Vec<String> = by_channel.into_iter().chain(by_number).collect();
                let other = match others.is_empty() {
                    true => "free one (virsh edit)".to_owned(),
                    false => format!("choose {}", others.join(", or ")),
                };
                Failure::Refused(format!(
                    "it has no free serial port 1, and the guest's tool tries no other: {other}"
                ))
            }),
            (None, None) => match same.or(runs_with) {
                Some(target) => Ok(target.clone()),
                None if was_nameless || self.wanted.now && self.facts.live.is_some() => channel,
                None => match ports.default_target() {
                    Target::Channel(_) => channel,
                    target => Ok(target),
                },
            },
        }
    }

    /// Where the running guest has its port, if that is right and has a name.
    fn runs_with(&self) -> Option<&Target> {
        let ports = &self.facts.live.as_ref()?.ports;
        let right = ports.hostinfo.iter().find(|port| ports.is_right(port))?;
        Some(&right.target).filter(|target| !matches!(target, Target::Other(_)))
    }
}
