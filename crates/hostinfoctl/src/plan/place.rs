//! Where a guest's new port goes, or why nowhere, with a remedy that can work.

use hostinfo_domains::{Form, Place, Port, Ports};

use super::{Kind, Plan, refused};
use crate::args::Transport;
use crate::exit::Failure;

impl Plan<'_> {
    /// Where to put the new port. `gone`: ports that are removed before.
    pub(super) fn place(
        &self,
        form: Form,
        kind: Kind,
        ports: &Ports,
        gone: &[&Port],
    ) -> Result<Place, Failure> {
        let is_free =
            |place: &Place| ports.is_free(place) || gone.iter().any(|port| port.place == *place);
        let channel = match kind {
            Kind::Hostinfo => Place::channel(),
            Kind::Vhostmd => Place::vhostmd(),
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
                (Kind::Hostinfo, Some(Place::Serial(1))) => {
                    ", or choose --transport serial".to_owned()
                }
                (Kind::Hostinfo, Some(Place::Serial(number))) => {
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
        let same = gone.first().map(|port| &port.place);
        let was_nameless = matches!(same, Some(Place::Other(_)));
        let same = same.filter(|place| is_free(place) && !was_nameless);
        let uart = || same.filter(|place| matches!(place, Place::Serial(_))).cloned();
        // What it has now, and lost in its saved configuration: scripts in the guest know that.
        let runs_with = self.runs_with().filter(|place| is_free(place) && !was_nameless);
        let second = Place::Serial(1);
        let uart = || uart().or_else(|| Some(second).filter(is_free));
        match (self.wanted.transport, self.wanted.port) {
            (_, Some(number)) => {
                let place = Place::Serial(number);
                if is_free(&place) {
                    return Ok(place);
                }
                let other = match (ports.free_uart(), &channel) {
                    (Some(free), _) => format!("{free} is free"),
                    (None, Ok(_)) => "choose --transport channel".to_owned(),
                    (None, Err(failure)) => format!("and no other, and {failure}"),
                };
                Err(Failure::Refused(format!("it has no free {place}: {other}")))
            }
            (Some(Transport::Channel), None) => channel,
            (Some(Transport::Serial), None) => uart().ok_or_else(|| {
                let by_number = ports.free_uart().map(|free| {
                    let number = if let Place::Serial(number) = free { number } else { 0 };
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
                Some(place) => Ok(place.clone()),
                None if was_nameless || self.wanted.now && self.facts.live.is_some() => channel,
                None => match ports.default_place() {
                    Place::Channel(_) => channel,
                    place => Ok(place),
                },
            },
        }
    }

    /// Where the running guest has its port, if that is right and has a name.
    fn runs_with(&self) -> Option<&Place> {
        let ports = &self.facts.live.as_ref()?.ports;
        let right = ports.hostinfo.iter().find(|port| ports.is_right(port))?;
        Some(&right.place).filter(|place| !matches!(place, Place::Other(_)))
    }
}
