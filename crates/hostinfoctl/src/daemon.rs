//! hostinfod, asked at its control socket. It knows only this host.

use std::collections::BTreeMap;

use hostinfo_control::limits::DEADLINE;
use hostinfo_control::{Client, Error, Guest, LibvirtState, Rules, Status};
use hostinfo_domains::Access;
use hostinfo_wire::nearest::{ALIKE, nearest};

use crate::args::Options;
use crate::exit::{Failure, complain};
use crate::facts::Facts;
use crate::guests;
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
/// What may be the whole name of a guest that does not exist yet is passed to the daemon unchanged.
///
/// # Errors
/// [`Failure::Daemon`]; [`Failure::NoGuest`], with the nearest name.
pub(crate) fn whole_name(
    options: &Options,
    daemon: &mut Client,
    word: &str,
) -> Result<String, Failure> {
    let guests = daemon.list()?;
    let mut called = guests.iter().filter(|guest| guest.guest == word || guest.name == word);
    match (called.next(), called.next()) {
        (Some(guest), None) => return Ok(guest.guest.clone()),
        // The daemon refuses an ambiguous name, and says why.
        (Some(_), Some(_)) => return Ok(word.to_owned()),
        (None, _) => {}
    }
    let mut names: Vec<String> =
        guests.iter().flat_map(|guest| [guest.name.clone(), guest.guest.clone()]).collect();
    if !is_remote(&options.connect) {
        match domains(options, word) {
            Ok((Some(whole), _)) => return Ok(whole),
            Ok((None, others)) => names.extend(others),
            Err(failure) => {
                complain(format!("note: what libvirt knows is left out: {failure}"));
            }
        }
    }
    let nearest = nearest(word, names.into_iter(), ALIKE);
    // `$driver-$name`
    if !word.split_once('-').is_some_and(|(driver, name)| !driver.is_empty() && !name.is_empty()) {
        return Err(Failure::NoGuest { name: word.to_owned(), nearest });
    }
    if let Some(nearest) = nearest {
        complain(format!("note: there is no guest {word:?} yet: do you mean {nearest:?}?"));
    }
    Ok(word.to_owned())
}

/// The whole name of libvirt's domain that is called so, or else the names of all.
fn domains(options: &Options, word: &str) -> Result<(Option<String>, Vec<String>), Failure> {
    let mut libvirt = Libvirt::connect(options, Access::Read)?;
    let entries = libvirt.list()?;
    match guests::called(&entries, libvirt.driver(), word) {
        Some(entry) => Ok((Some(Facts::read(&mut libvirt, entry)?.guest()), Vec::new())),
        None => Ok((None, entries.iter().map(|entry| entry.name.clone()).collect())),
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
    /// Its process, by what the kernel says.
    pub(crate) process: Option<u32>,
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
    let process = daemon.process();
    let has_all = matches!(status.libvirt.state, LibvirtState::Off | LibvirtState::Missing);
    Ok(Known { guests, rules, status, process, has_all })
}
