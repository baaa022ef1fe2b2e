//! libvirt's own channels for vhostmd's clients: a guest that was set up for vhostmd is served as
//! the domain that it is, and nothing of it has to be changed.
//!
//! Only where hostinfod.toml says `vhostmd_channels = true`: else the helper tells of none.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Instant;

use hostinfo_answer::{Dialect, Name};

use super::Server;
use crate::port::{Port, To};

impl Server {
    /// Has a port for the channel of each running domain that has one, and none for any other.
    pub(crate) fn find_channels(&mut self, now: Instant) {
        let Some(known) = self.desk.libvirt().known() else { return };
        let channels = known.guests().filter_map(|guest| {
            let path = PathBuf::from(guest.domain.channel.as_ref()?);
            Some((path, Name::parse(&guest.domain.socket_name())?))
        });
        let mut channels: HashMap<PathBuf, Name> = channels.collect();
        let (mut gone, mut silent) = (Vec::new(), Vec::new());
        for (number, port) in self.roster.ports.iter() {
            let To::Channel(path) = &port.to else { continue };
            match channels.remove(path) {
                None => gone.push(number),
                Some(_) if port.connection.is_none() => silent.push(number),
                Some(_) => {}
            }
        }
        for number in gone {
            if let Some(guest) = self.roster.remove_port(number) {
                self.port_is_gone(number, guest, now);
            }
        }
        // Nothing else tells when one can be connected to at last.
        for number in silent {
            self.knock(number, now);
        }
        for (path, name) in channels {
            match self.guest(&name, now) {
                Ok(guest) => {
                    let port = Port::new(guest, To::Channel(path), Dialect::Vhostmd, now);
                    let number = self.roster.add_port(port, None);
                    self.knock(number, now);
                }
                Err(error) => tracing::error!(guest = name.whole(), "{error}"),
            }
        }
    }
}
