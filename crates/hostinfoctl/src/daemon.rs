//! hostinfod, asked at its control socket. It knows only this host.

use std::collections::BTreeMap;

use hostinfo_control::limits::DEADLINE;
use hostinfo_control::{Client, Error, Guest, LibvirtState, Rules, Status};
use hostinfo_domains::{Access, Ports};

use crate::args::Options;
use crate::exit::{Failure, complain};
use crate::facts::Facts;
use crate::libvirt::Libvirt;
use crate::uri::is_remote;

/// Connects to it.
///
/// # Errors
/// [`Failure::Daemon`].
pub(crate) fn connect(options: &Options) -> Result<Client, Failure> {
    if is_remote(&options.connect) {
        complain(format!("note: this is about this host, and not about {}", options.connect));
    }
    Ok(Client::connect(&options.control, DEADLINE)?)
}

/// The whole name of a guest: from the daemon or, for a guest that has no socket yet, from libvirt.
/// A name that neither knows is passed to the daemon unchanged.
///
/// # Errors
/// [`Failure::Daemon`].
pub(crate) fn whole_name(
    options: &Options,
    daemon: &mut Client,
    word: &str,
) -> Result<String, Failure> {
    let guests = daemon.list()?;
    let mut called = guests.iter().filter(|guest| guest.guest == word || guest.name == word);
    match (called.next(), called.next()) {
        (Some(guest), None) => return Ok(guest.guest.clone()),
        (None, _) if !is_remote(&options.connect) => {}
        _ => return Ok(word.to_owned()),
    }
    let known = Libvirt::connect(options, Access::Read).and_then(|mut libvirt| {
        let facts = Facts::named(&mut libvirt, word)?;
        Ok(facts.ports().map(Ports::socket_name))
    });
    match known {
        Ok(name) => Ok(name.unwrap_or_else(|| word.to_owned())),
        Err(failure) => {
            if !matches!(failure, Failure::NoGuest { .. }) {
                complain(format!("note: what libvirt knows is left out: {failure}"));
            }
            Ok(word.to_owned())
        }
    }
}

/// What the daemon knows about guests, for a command that also works without it.
pub(crate) struct Known {
    /// The guests by their whole names.
    pub(crate) guests: BTreeMap<String, Guest>,
    /// The rules in force.
    pub(crate) rules: Rules,
    /// What it says of itself.
    pub(crate) status: Status,
    /// Whether the daemon knows all guests: there is no libvirt here, or the settings turn it off.
    pub(crate) has_all: bool,
}

/// Asks the daemon. `None`, with a note to the user, if it does not answer or the guests are
/// another host's.
pub(crate) fn known(options: &Options) -> Option<Known> {
    if is_remote(&options.connect) {
        complain(format!(
            "note: {} is on another host: what its hostinfod and its rules say is left out, and \
             only hostinfoctl on that host can show it",
            options.connect
        ));
        return None;
    }
    ask(options)
        .map_err(|error| complain(format!("note: what the daemon knows is left out: {error}")))
        .ok()
}

/// Asks the daemon.
///
/// # Errors
/// It does not answer, or refuses.
pub(crate) fn ask(options: &Options) -> Result<Known, Error> {
    let mut daemon = Client::connect(&options.control, DEADLINE)?;
    let guests = daemon.list()?.into_iter().map(|guest| (guest.guest.clone(), guest)).collect();
    let rules = daemon.rules()?;
    let status = daemon.status()?;
    let has_all = matches!(status.libvirt.state, LibvirtState::Off | LibvirtState::Missing);
    Ok(Known { guests, rules, status, has_all })
}
