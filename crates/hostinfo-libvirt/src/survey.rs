//! Which domains exist, and what was reported to the daemon about them.

mod figures;
mod state;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;

use hostinfo_domains::limits::{NAME_MAX, WORDS_MAX};
use hostinfo_domains::{Directory, Domain, Message, State, TagSources, Uuid, cut, describe};
use virt::connect::Connect;
use virt::domain::Domain as Handle;
use virt::error::{Error, ErrorNumber};

use crate::fetcher::Fetcher;
use crate::inbox::Changes;
use crate::known::Known;
use crate::output::send;

use state::state;

/// libvirt can no longer be reached; its error message.
pub(crate) struct Lost(pub(crate) String);

impl From<Error> for Lost {
    fn from(error: Error) -> Self {
        Self(error.message().to_owned())
    }
}

impl From<io::Error> for Lost {
    fn from(error: io::Error) -> Self {
        Self(format!("no thread can be started: {error}"))
    }
}

/// A connection, and everything reported so far.
pub(crate) struct Survey {
    connect: Connect,
    fetcher: Fetcher,
    /// The socket directory.
    directory: Directory,
    /// The tags to look for.
    sought: TagSources,
    known: BTreeMap<Uuid, Known>,
    /// Whether libvirt's own channels for vhostmd's clients are reported.
    with_channels: bool,
    /// Domains that were started from a snapshot and have not resumed from it yet.
    starters: HashSet<Uuid>,
    has_reported: bool,
}

impl Survey {
    /// Nothing is reported yet. `directory` is the socket directory.
    pub(crate) fn new(
        connect: Connect,
        fetcher: Fetcher,
        directory: Directory,
        with_channels: bool,
        sought: TagSources,
    ) -> Self {
        Self {
            connect,
            fetcher,
            directory,
            sought,
            with_channels,
            known: BTreeMap::new(),
            starters: HashSet::new(),
            has_reported: false,
        }
    }

    /// Reports what has come and gone. Events report all other changes.
    pub(crate) fn look(&mut self) -> Result<(), Lost> {
        let mut gone: HashSet<Uuid> = self.known.keys().copied().collect();
        for handle in self.connect.list_all_domains(0)? {
            let uuid = handle.get_uuid()?;
            gone.remove(&uuid);
            let name = handle.get_name()?;
            let is_known = self.known.get(&uuid).is_some_and(|Known { domain, .. }| {
                domain.id == handle.get_id() && domain.name == cut(&name, NAME_MAX)
            });
            if !is_known {
                self.read(uuid, &handle)?;
            }
        }
        for uuid in gone {
            self.forget(uuid);
        }
        Ok(())
    }

    /// Checks domains that have changed.
    pub(crate) fn look_at(&mut self, domains: &HashMap<Uuid, Changes>) -> Result<(), Lost> {
        for (uuid, changes) in domains {
            match self.unless_lost(Handle::lookup_by_uuid(&self.connect, *uuid))? {
                Some(handle) => {
                    self.read(*uuid, &handle)?;
                    if changes.failed {
                        self.count_errors(*uuid);
                    }
                    if goes_back(&mut self.starters, *uuid, *changes) {
                        self.report(&Message::Reverted(*uuid));
                    }
                }
                None => self.forget(*uuid),
            }
        }
        Ok(())
    }

    /// Looks for other tags, in every domain.
    pub(crate) fn set_tag_sources(&mut self, sought: TagSources) -> Result<(), Lost> {
        self.sought = sought;
        self.look()?;
        let all: Vec<Uuid> = self.known.keys().copied().collect();
        self.look_at(&all.into_iter().map(|uuid| (uuid, Changes::default())).collect())
    }

    /// Reads a domain, and reports it if it has changed. A domain that cannot be read is reported
    /// as such, and not read again until it changes.
    fn read(&mut self, uuid: Uuid, handle: &Handle) -> Result<(), Lost> {
        let xml = match handle.get_xml_desc(0) {
            // It has just gone, which an event reports.
            Err(error) if error.code() == ErrorNumber::NoDomain => return Ok(()),
            Err(error) if !self.is_connected() => return Err(error.into()),
            other => other,
        };
        let described = match xml {
            Ok(xml) => {
                describe(&xml, &self.directory, &self.sought).map_err(|error| error.to_string())
            }
            Err(error) => Err(error.message().to_owned()),
        };
        let unread = described.as_ref().err().map(|why| cut(why, WORDS_MAX).to_owned());
        let found = described.unwrap_or_default();
        let state = match self.unless_lost(handle.get_state())? {
            Some((now, reason)) => state(now.into(), reason.try_into().ok()),
            None if unread.is_some() => State::Running,
            None => return Ok(()),
        };
        let name = self.unless_lost(handle.get_name())?.unwrap_or_default();
        let id = handle.get_id();
        let before = self.known.remove(&uuid);
        let same_run = before.as_ref().filter(|before| before.domain.id == id);
        let domain = Domain {
            uuid,
            hwuuid: found.hwuuid,
            name: cut(&name, NAME_MAX).to_owned(),
            driver: found.driver,
            is_kvm: found.is_kvm,
            id,
            state,
            // No event tells: this is asked with the figures.
            migrating: same_run.is_some_and(|before| before.domain.migrating),
            vcpus: found.vcpus,
            vcpus_max: found.vcpus_max,
            names: found.names,
            channel: found.channel.filter(|_| self.with_channels),
            cid: found.cid,
            tags: found.tags,
            unread,
        };
        let is_new = before.as_ref().is_none_or(|before| before.domain != domain);
        self.known.insert(uuid, Known::new(domain.clone(), found.disks, before));
        if is_new {
            self.report(&Message::Domain(domain));
        }
        Ok(())
    }

    fn forget(&mut self, uuid: Uuid) {
        self.starters.remove(&uuid);
        if self.known.remove(&uuid).is_some() {
            self.report(&Message::Gone(uuid));
        }
    }

    /// Whether anything was reported since the last call of this.
    pub(crate) fn has_reported(&mut self) -> bool {
        std::mem::take(&mut self.has_reported)
    }

    fn report(&mut self, message: &Message) {
        send(message);
        self.has_reported = true;
    }

    /// The result of a call; nothing if only that call failed, for example because the domain has
    /// just gone.
    fn unless_lost<T>(&self, result: Result<T, Error>) -> Result<Option<T>, Lost> {
        match result {
            Ok(found) => Ok(Some(found)),
            Err(_) if self.is_connected() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn is_connected(&self) -> bool {
        self.connect.is_alive().unwrap_or_default()
    }
}

/// Whether a domain went back to a snapshot within its current run. A domain that was started for
/// that is already in another run, and resumes once in it.
fn goes_back(starters: &mut HashSet<Uuid>, uuid: Uuid, changes: Changes) -> bool {
    let Changes { started, reverts, .. } = changes;
    let is_expected = reverts > 0 && (started || starters.remove(&uuid));
    if started && !is_expected {
        starters.insert(uuid);
    }
    reverts > u32::from(is_expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_that_was_started_from_a_snapshot_goes_on_once_and_any_other_goes_back() {
        let (mut starters, uuid) = (HashSet::new(), Uuid::from_u128(1));
        let mut goes_back = |started, reverts| {
            goes_back(&mut starters, uuid, Changes { started, reverts, ..Changes::default() })
        };
        // libvirt before 8.0: in the same process.
        assert!(goes_back(false, 1) && !goes_back(false, 0));
        // Later versions: reported together, or one after the other.
        assert!(!goes_back(true, 1));
        assert!(!goes_back(true, 0) && !goes_back(false, 0) && !goes_back(false, 1));
        assert!(goes_back(false, 1), "once more, in this run");
        assert!(goes_back(true, 2));
    }
}
