//! The names that a domain has in hostinfo's directories: what makes a socket or a disk its own.

use roxmltree::Node;
use serde::{Deserialize, Serialize};

use crate::directory::{Directory, Leads};
use crate::limits::NAMES_MAX;
use crate::xml::elements::{children, paths};
use crate::xml::vhostmd::{DISK_DIR, VHOSTMD_DIR};

/// All such names that a domain's XML has. Each has to be `$driver-$name` of the domain.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// Of its ports for hostinfo. One at the most is right.
    pub clauses: Vec<String>,
    /// Of its channels for vhostmd's clients.
    pub vhostmd: Vec<String>,
    /// Of its metrics disks.
    pub disks: Vec<String>,
    /// Of ports in directories that cannot be looked at, and may be hostinfo's by another way.
    pub hidden: Vec<String>,
}

impl Names {
    /// Finds them among a domain's devices; `None` where one of the lists would be longer than
    /// [`NAMES_MAX`].
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
    /// ```
    pub(crate) fn find<'a, 'i: 'a>(
        devices: impl Iterator<Item = Node<'a, 'i>>,
        directory: &Directory,
    ) -> Option<Self> {
        let (vhostmd, disks) = (directory.below(VHOSTMD_DIR), directory.below(DISK_DIR));
        let mut names = Self::default();
        for device in devices {
            for path in paths(device) {
                match (directory.find(path), vhostmd.find(path)) {
                    (Leads::Here(name), _) => names.clauses.push(name.to_owned()),
                    (_, Leads::Here(name)) => names.vhostmd.push(name.to_owned()),
                    (Leads::Hidden(name), _) => names.hidden.push(name.to_owned()),
                    _ => {}
                }
            }
            let disk = device.has_tag_name("disk").then(|| children(device, "source").next());
            let file = disk.flatten().and_then(|source| source.attribute("file"));
            if let Some(Leads::Here(name)) = file.map(|file| disks.find_in_text(file)) {
                names.disks.push(name.to_owned());
            }
        }
        let lists = [&names.clauses, &names.vhostmd, &names.disks, &names.hidden];
        lists.iter().all(|list| list.len() <= NAMES_MAX).then_some(names)
    }

    /// All but those of its ports for hostinfo.
    pub fn beside(&self) -> impl Iterator<Item = &String> {
        self.vhostmd.iter().chain(&self.disks).chain(&self.hidden)
    }
}
