//! libvirt's own channels for vhostmd's clients: a guest that was set up for vhostmd is served as
//! its domain, and nothing in it has to be changed.
//!
//! Only if hostinfod.toml says `vhostmd_channels = true`. Otherwise the helper reports no channels.

use std::collections::HashMap;
use std::path::PathBuf;

use hostinfo_answer::{Dialect, Name};

use super::Guests;
use super::standing::cannot_be_served;
use crate::port::{Endpoint, Port};
use crate::reactor::Ctx;

impl Guests {
    /// Makes the ports match the channels of running domains.
    pub(super) fn find_channels(&mut self, ctx: &mut Ctx<'_>) {
        let Some(known) = self.responder.libvirt().known() else { return };
        let channels = known.guests().filter_map(|guest| {
            let path = PathBuf::from(guest.domain.channel.as_ref()?);
            Some((path, Name::parse(&guest.domain.socket_name())?))
        });
        let mut channels: HashMap<PathBuf, Name> = channels.collect();
        let (mut gone, mut silent) = (Vec::new(), Vec::new());
        for (number, port) in self.roster.ports.iter() {
            let Endpoint::Channel(path) = &port.endpoint else { continue };
            match channels.remove(&**path) {
                None => gone.push(number),
                Some(_) if port.connection.is_none() => silent.push(number),
                Some(_) => {}
            }
        }
        for number in gone {
            self.remove_port(number, ctx);
        }
        // There is no event that says when such a channel can be connected to.
        for number in silent {
            self.try_connect(number, ctx);
        }
        for (path, name) in channels {
            match self.guest(&name, ctx.now) {
                Ok(guest) => {
                    let endpoint = Endpoint::Channel(path.into());
                    let port = Port::new(guest, endpoint, Dialect::Vhostmd, ctx.now);
                    let number = self.roster.add_port(port);
                    self.try_connect(number, ctx);
                }
                Err(error) => cannot_be_served(&name, &error),
            }
        }
    }
}
