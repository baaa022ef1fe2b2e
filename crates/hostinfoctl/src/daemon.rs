//! hostinfod, by its control socket. It knows of this host and no other.

use std::collections::BTreeMap;

use hostinfo_control::limits::DEADLINE;
use hostinfo_control::{Client, Error, Guest, LibvirtState, Rules};
use hostinfo_domains::{Access, Ports};

use crate::args::Options;
use crate::exit::{Failure, complain};
use crate::facts::Facts;
use crate::libvirt::Libvirt;
use crate::uri::is_remote;

/// Connects.
///
/// # Errors
/// [`Failure::Daemon`].
pub(crate) fn connect(options: &Options) -> Result<Client, Failure> {
    if is_remote(&options.connect) {
        complain(format!("note: this is about this host, and not about {}", options.connect));
    }
    Ok(Client::connect(&options.control, DEADLINE)?)
}

/// The whole name of a guest: as the daemon has it, and for one that has no socket yet as libvirt
/// has it. What neither knows is left to the daemon, as it is.
///
/// # Errors
/// [`Failure::Daemon`].
pub(crate) fn whole_name(
    options: &Options,
    daemon: &mut Client,
    word: &str,
) -> Result<String, Failure> {
    let guests = daemon.list()?;
    let mut called = guests.iter().filter(|guest| guest.id == word || guest.name == word);
    match (called.next(), called.next()) {
        (Some(guest), None) => return Ok(guest.id.clone()),
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
                complain(format!("note: without what libvirt knows: {failure}"));
            }
            Ok(word.to_owned())
        }
    }
}

/// What the daemon knows of guests, for a command that can do without.
pub(crate) struct Known {
    /// By their whole names.
    pub(crate) guests: BTreeMap<String, Guest>,
    /// Those in force.
    pub(crate) rules: Rules,
    /// All guests are those that it knows: there is no libvirt here, or the settings say so.
    pub(crate) has_all: bool,
}

/// Asks it. `None`, and said so, where it does not answer or the guests are another host's.
pub(crate) fn known(options: &Options) -> Option<Known> {
    if is_remote(&options.connect) {
        complain(format!(
            "note: {} is another host's: what its hostinfod and rules say is left out, and only \
             hostinfoctl on that host can show it",
            options.connect
        ));
        return None;
    }
    ask(options)
        .map_err(|error| complain(format!("note: without what the daemon knows: {error}")))
        .ok()
}

fn ask(options: &Options) -> Result<Known, Error> {
    let mut daemon = Client::connect(&options.control, DEADLINE)?;
    let guests = daemon.list()?.into_iter().map(|guest| (guest.id.clone(), guest)).collect();
    let rules = daemon.rules()?;
    let has_all =
        matches!(daemon.status()?.libvirt.state, LibvirtState::Off | LibvirtState::Missing);
    Ok(Known { guests, rules, has_all })
}
