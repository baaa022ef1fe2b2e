//! What a guest has: its domain's definition for the next start, and its running form.

use hostinfo_domains::{Act, Entry, Form, Port, Ports, edit};
use hostinfo_rules::Tags;

use crate::exit::Failure;
use crate::guests::{called, no_guest};
use crate::libvirt::Libvirt;
use crate::step::Step;
use crate::tags::{self, Lookup};

/// A guest as libvirt describes it.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub(crate) entry: Entry,
    /// `None` for a transient domain, which has no definition and disappears when it ends.
    pub(crate) config: Option<Seen>,
    /// `None` if it is not running.
    pub(crate) live: Option<Seen>,
}

/// One form of a domain: its XML, and the ports in it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) xml: String,
    pub(crate) ports: Ports,
}

impl Facts {
    /// Reads both forms from libvirt.
    pub(crate) fn read(libvirt: &mut Libvirt, entry: &Entry) -> Result<Self, Failure> {
        let mut read = |is_there: bool, form| match is_there {
            true => libvirt.xml(entry.uuid, form).and_then(|xml| seen(libvirt, xml)).map(Some),
            false => Ok(None),
        };
        let config = read(entry.is_defined, Form::Config)?;
        let live = read(entry.is_live, Form::Live)?;
        Ok(Self { entry: entry.clone(), config, live })
    }

    /// Reads the guest with that name or whole name from libvirt. The name is not a pattern.
    ///
    /// # Errors
    /// [`Failure::NoGuest`], or libvirt cannot be asked.
    pub(crate) fn named(libvirt: &mut Libvirt, name: &str) -> Result<Self, Failure> {
        let entries = libvirt.list()?;
        let entry = called(&entries, libvirt.driver(), name).cloned();
        match entry {
            Some(entry) => Self::read(libvirt, &entry),
            None => Err(no_guest(&entries, name)),
        }
    }

    pub(crate) fn of(&self, form: Form) -> Option<&Seen> {
        match form {
            Form::Config => self.config.as_ref(),
            Form::Live => self.live.as_ref(),
        }
    }

    /// The ports of the form that decides who the guest is: that of its next start if it has one.
    pub(crate) fn ports(&self) -> Option<&Ports> {
        self.config.as_ref().or(self.live.as_ref()).map(|seen| &seen.ports)
    }

    /// The guest's whole name: `$driver-$name`.
    pub(crate) fn guest(&self) -> String {
        self.ports().map_or_else(|| self.entry.name.clone(), Ports::socket_name)
    }

    /// Its tags: those of what runs, else those of its next start.
    pub(crate) fn tags(&self, sought: &Lookup) -> Tags {
        let seen = self.live.as_ref().or(self.config.as_ref());
        seen.map_or(Tags::Unreadable, |seen| tags::of(&seen.xml, self.entry.uuid, sought))
    }

    /// What the guest will have once these steps are taken.
    pub(crate) fn after(&self, libvirt: &Libvirt, steps: &[Step]) -> Result<Self, Failure> {
        let mut after = self.clone();
        for Step { form, act, device } in steps {
            let form = match form {
                Form::Config => &mut after.config,
                Form::Live => &mut after.live,
            };
            let Some(before) = form else { continue };
            let xml = match act {
                Act::Attach => edit::with(&before.xml, device).map_err(unreadable)?,
                Act::Detach => edit::without(&before.xml, device),
            };
            *form = Some(seen(libvirt, xml)?);
        }
        Ok(after)
    }

    /// Whether both have the same name, ports and sockets.
    pub(crate) fn has_same_ports(&self, other: &Self) -> bool {
        let comparable = |seen: &Option<Seen>| seen.as_ref().map(|seen| comparable(&seen.ports));
        comparable(&self.config) == comparable(&other.config)
            && comparable(&self.live) == comparable(&other.live)
    }
}

/// The domain's whole name, and each port with its place and its socket.
fn comparable(ports: &Ports) -> (String, Vec<String>) {
    let words = |port: &Port| format!("{} {}", port.target, port.socket);
    let mut all: Vec<String> = ports.hostinfo.iter().chain(&ports.vhostmd).map(words).collect();
    all.sort();
    (ports.socket_name(), all)
}

fn seen(libvirt: &Libvirt, xml: String) -> Result<Seen, Failure> {
    let ports = Ports::find(&xml, &libvirt.directory).map_err(unreadable)?;
    Ok(Seen { xml, ports })
}

fn unreadable(error: hostinfo_domains::Unreadable) -> Failure {
    Failure::Refused(format!("its XML cannot be read: {error}"))
}
