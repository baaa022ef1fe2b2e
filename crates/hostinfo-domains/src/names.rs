//! The names that a domain has in hostinfo's directories: they decide which sockets and disks are
//! its own.

use serde::{Deserialize, Serialize};

use crate::directory::{Directory, Leads};
use crate::limits::NAMES_MAX;
use crate::xml::element::Element;
use crate::xml::vhostmd::{DISK_DIR, VHOSTMD_DIR};
use crate::xml::{Unreadable, driver, paths};

/// All such names in a domain's XML. Each must be the domain's `$driver-$name`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// Names of its ports for hostinfo. At most one is right.
    pub clauses: Vec<String>,
    /// Names of its channels for vhostmd's clients.
    pub vhostmd: Vec<String>,
    /// Names of its metrics disks.
    pub disks: Vec<String>,
    /// Names of any other devices that may listen there.
    pub others: Vec<String>,
    /// Names in directories that cannot be read, which may be hostinfo's by another path.
    pub hidden: Vec<String>,
}

impl Names {
    /// Finds them among a domain's devices.
    ///
    /// # Errors
    /// [`Unreadable::TooManyPaths`], and [`Unreadable::TooManyPorts`] if one of the lists would be
    /// longer than [`NAMES_MAX`].
    ///
    /// ```xml
    /// <serial type='unix'>
    ///   <source mode='bind' path='/var/lib/hostinfo/qemu-myguest'/>
    /// </serial>
    /// <channel type='unix'>
    ///   <source mode='bind' path='/var/lib/hostinfo/vhostmd/qemu-myguest'/>
    /// </channel>
    /// <disk type='file' device='disk'>
    ///   <source file='/var/lib/hostinfo/disk/qemu-myguest'/>
    /// </disk>
    /// <console type='unix'>
    ///   <source mode='bind' path='/var/lib/hostinfo/qemu-myguest'/>
    ///   <target type='virtio'/>
    /// </console>
    /// ```
    pub(crate) fn find(domain: &Element<'_>, directory: &Directory) -> Result<Self, Unreadable> {
        let (vhostmd, disks) = (directory.below(VHOSTMD_DIR), directory.below(DISK_DIR));
        let (ports, others) = paths(domain)?;
        let mut names = Self::default();
        for path in ports {
            match (directory.find(path), vhostmd.find(path)) {
                (Leads::Here(name), _) => names.clauses.push(name.to_owned()),
                (_, Leads::Here(name)) => names.vhostmd.push(name.to_owned()),
                (Leads::Hidden(name), _) => names.hidden.push(name.to_owned()),
                _ => {}
            }
        }
        // Devices of all kinds have sockets in directories of their own, with names that are not
        // guests'.
        let prefix = format!("{}-", driver(domain)?);
        for path in others {
            match (directory.find(path), vhostmd.find(path)) {
                (Leads::Here(name), _) | (_, Leads::Here(name)) => {
                    names.others.push(name.to_owned());
                }
                (Leads::Hidden(name), _) if name.starts_with(&prefix) => {
                    names.hidden.push(name.to_owned());
                }
                _ => {}
            }
        }
        for disk in domain.devices().filter(|device| device.name == "disk") {
            let file = disk.child("source").and_then(|source| source.attribute("file"));
            if let Some(Leads::Here(name)) = file.map(|file| disks.find_in_text(file)) {
                names.disks.push(name.to_owned());
            }
        }
        match names.fit() {
            true => Ok(names),
            false => Err(Unreadable::TooManyPorts),
        }
    }

    /// Whether none of the lists is longer than [`NAMES_MAX`].
    pub(crate) fn fit(&self) -> bool {
        self.lists().iter().all(|list| list.len() <= NAMES_MAX)
    }

    pub(crate) fn lists(&self) -> [&Vec<String>; 5] {
        let Self { clauses, vhostmd, disks, others, hidden } = self;
        [clauses, vhostmd, disks, others, hidden]
    }

    pub(crate) fn lists_mut(&mut self) -> [&mut Vec<String>; 5] {
        let Self { clauses, vhostmd, disks, others, hidden } = self;
        [clauses, vhostmd, disks, others, hidden]
    }

    /// All names except those of its ports for hostinfo.
    pub fn beside(&self) -> impl Iterator<Item = &String> {
        let Self { vhostmd, disks, others, hidden, .. } = self;
        vhostmd.iter().chain(disks).chain(others).chain(hidden)
    }
}
